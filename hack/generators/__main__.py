"""hack/generate [--check] [TARGET...]: write the generated files, or only compare them.

`--check` writes nothing, prints how the files would change, and fails if they would.
"""

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.decisions import page
from generators import chart, crds, grpc_messages, reference, user_docs

ROOT = Path(__file__).parents[2]
TARGETS: dict[str, Callable[[], dict[str, str]]] = {
    "crds": crds.files,
    "reference": reference.files,
    "chart": chart.files,
    "grpc": grpc_messages.files,
    "docs": user_docs.files,
    "decisions": page.files,
}
"""What can be generated: each gives its files, by path in the checkout."""


def main() -> int:
    """Write or check, and tell the exit code."""
    parser = argparse.ArgumentParser(prog="hack/generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; fail on a difference")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"unknown target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    files: dict[str, str] = {}
    for target in arguments.targets or TARGETS:
        files |= TARGETS[target]()
    return check(files) if arguments.check else write(files)


def write(files: dict[str, str]) -> int:
    """Write each file that differs."""
    for path, text in files.items():
        target = ROOT / path
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            print(f"written: {path}")
    return 0


def check(files: dict[str, str]) -> int:
    """Print the differences and the command that ends them."""
    differences = [line for path, text in files.items() for line in _difference(path, text)]
    if differences:
        sys.stdout.writelines(differences)
        print("\nhack/generate: files differ from what is generated. Run: hack/generate")
    return bool(differences)


def _difference(path: str, text: str) -> list[str]:
    target = ROOT / path
    stored = target.read_text() if target.exists() else ""
    return list(
        difflib.unified_diff(
            stored.splitlines(keepends=True),
            text.splitlines(keepends=True),
            path,
            f"{path} (generated)",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
