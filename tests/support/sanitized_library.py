"""The C library with sanitizers in it, and a plugin of pytest that makes tests use it.

What goes a byte beyond an array, or does what C leaves undefined, ends the process: tests that are
to see it run in a process of their own, where AddressSanitizer is loaded before all else and each
object of Python lies alone.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import hypothesis
import pytest

from serinus_runtime.kernel import library

FOLDER = "SERINUS_TEST_SANITIZED_LIBRARY"
"""Where the plugin finds the library."""
SOURCES = Path(library.__file__).parent
ROOT = Path(__file__).parents[2]
_EXAMPLES = 20
_OPTIONS = (
    "-O1", "-g", "-std=c11", "-ffp-contract=off", "-fno-omit-frame-pointer", "-shared", "-fPIC",
    "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip


class NoSanitizers(Exception):
    """The machine's compiler has none; the text says so."""


def runtime_of(compiler: str | None) -> Path:
    """What is to be loaded first; raises `NoSanitizers`."""
    if compiler is None:
        raise NoSanitizers("no gcc here: install it to see whether C stays within its arrays")
    asked = [compiler, "-print-file-name=libasan.so"]
    found = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    if not found.is_absolute():
        raise NoSanitizers(f"{compiler} has no runtime of AddressSanitizer, install libasan")
    return found


def build(folder: Path, sources: Path = SOURCES) -> dict[str, str]:
    """Build the library there; the environment of processes that use it."""
    compiler = shutil.which("gcc")
    runtime = runtime_of(compiler)
    files = sorted(str(path) for path in sources.glob("*.c"))
    target = str(folder / f"{library.NAME}.so")
    subprocess.run([str(compiler), *_OPTIONS, "-o", target, *files, "-lm"], check=True)
    return os.environ | {
        FOLDER: str(folder),
        "LD_PRELOAD": str(runtime),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }


def run(command: Sequence[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run Python with these arguments."""
    return subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def use() -> None:
    """Load the library of the environment, and no other."""
    library.__file__ = str(Path(os.environ[FOLDER]) / "library.py")
    found = library.library()
    assert found is not None
    assert Path(found._name).parent == Path(os.environ[FOLDER])


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """As a plugin: fewer examples, the same ones each time."""
    use()
    hypothesis.settings.register_profile(
        "sanitized", deadline=None, max_examples=_EXAMPLES, derandomize=True, database=None
    )
    hypothesis.settings.load_profile("sanitized")
