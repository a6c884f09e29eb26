import tomllib
from pathlib import Path

import pytest

from serinus.cli import runbook
from serinus.cli.errors import CommandError
from tests.support.command_line import FakeCluster, commanded

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("reason", ["EvidenceOfHarm", "evidenceofharm"])
def test_a_runbook_is_printed_as_it_is(reason: str) -> None:
    _, text = commanded(f"runbook {reason}", FakeCluster([]))

    assert text == (ROOT / "operator/docs/runbooks/EvidenceOfHarm.md").read_text()


def test_without_a_reason_all_are_listed() -> None:
    _, text = commanded("runbook", FakeCluster([]))

    assert {"EvidenceOfHarm", "NoData"} < set(text.split())


@pytest.mark.parametrize(
    ("reason", "hint"), [("EvidenceOfHam", "is it `EvidenceOfHarm`?"), ("x", "lists all")]
)
def test_an_unknown_reason_is_told_with_what_to_do(reason: str, hint: str) -> None:
    with pytest.raises(CommandError, match="no runbook") as caught:
        commanded(f"runbook {reason}", FakeCluster([]))

    assert hint in caught.value.hint


def test_the_distribution_brings_all_folders_along() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        packaged = tomllib.load(file)["tool"]["setuptools"]["data-files"]
    folders = {page.parent for page in (ROOT / "operator/docs").rglob("*.md")}

    assert {f"{folder.relative_to(ROOT)}/*.md" for folder in folders} == {
        pattern for patterns in packaged.values() for pattern in patterns
    }


def test_an_installed_command_finds_them_below_its_prefix() -> None:
    assert runbook.places()[1].parts[-3:] == ("share", "serinus", "docs")
