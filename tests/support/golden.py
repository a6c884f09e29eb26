"""Compare text with a file that a person has reviewed."""

import difflib
from pathlib import Path


def assert_matches_golden(path: Path, text: str, *, accept: bool) -> None:
    """Fail with the diff and the command that accepts it; with `accept`, write the file instead."""
    if accept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return
    reviewed = path.read_text() if path.exists() else ""

    diff = "".join(
        difflib.unified_diff(
            reviewed.splitlines(keepends=True),
            text.splitlines(keepends=True),
            fromfile=f"{path.name} (golden)",
            tofile=f"{path.name} (now)",
        )
    )

    assert text == reviewed, f"{diff}\nIf that is wanted: hack/test unit --accept, then review."
