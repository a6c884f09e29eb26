"""What the documents at the root name exists."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_command_in_hack_exists_and_can_be_run(document: str) -> None:
    named = set(re.findall(r"\bhack/[a-z]+(?:/[a-z]+)?\b(?!/)", (ROOT / document).read_text()))

    missing = [name for name in sorted(named) if not (ROOT / name).exists()]
    not_executable = [
        name
        for name in sorted(named)
        if (ROOT / name).is_file() and not os.access(ROOT / name, os.X_OK)
    ]

    assert not missing
    assert not not_executable


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_link_into_the_repository_leads_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", (ROOT / document).read_text())

    assert not [link for link in links if not (ROOT / link).exists()]
