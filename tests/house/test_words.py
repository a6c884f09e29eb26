"""Words that have no place in the repository: hosts of registries, paths of one machine."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written with brackets, so that this file passes its own test.
FORBIDDEN = {
    "host of a package registry (machines are configured for theirs)": [
        r"\bpypi[.]org",
        r"python[h]osted[.]org",
        r"\b(deb|security)[.]debian[.]org",
        r"\b(proxy|sum)[.]golang[.]org",
        r"\bregistry[.]npmjs[.]org",
    ],
    "host of an image registry (users name theirs)": [
        r"\b(docker|ghcr|quay|gcr)[.]io\b",
        r"\bmcr[.]microsoft[.]com\b",
        r"\bregistry[.]k8s[.]io\b",
    ],
    "path of one machine": [
        r"/[w]ork/(main|shared)",
        r"/[t]mp/plan",
        r"/[o]pt/wheels",
        r"/[r]oot/[.]",
    ],
    "name that says nothing (name it for what it knows)": [
        r"^[^#\n]*(class|def) \w*(Manager|Helper|Util)s?\b",
    ],
}


def tracked_text_files() -> list[Path]:
    """All files that git tracks or would track; binary ones left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


@pytest.mark.parametrize(("reason", "patterns"), FORBIDDEN.items(), ids=list(FORBIDDEN))
def test_no_file_holds_a_forbidden_word(reason: str, patterns: list[str]) -> None:
    pattern = re.compile("|".join(patterns), re.MULTILINE)

    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}"
        for path in tracked_text_files()
        for text in [path.read_text(errors="replace")]
        for match in pattern.finditer(text)
    ]

    assert not found, f"{reason}:\n" + "\n".join(found)


def test_no_module_is_named_for_nothing() -> None:
    banned = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager"}

    named_so = [
        str(path.relative_to(ROOT))
        for folder in ("operator/serinus", "serving/serinus_runtime", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if banned & {path.stem, path.parent.name}
    ]

    assert not named_so
