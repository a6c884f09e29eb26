"""The shared library, where it was built."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import TypeVar

NAME = "_library"

Library = TypeVar("Library", bound=ctypes.CDLL)


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library; None where none was built, or for another machine."""
    return _loaded(ctypes.CDLL)


@functools.cache
def short_calls() -> ctypes.PyDLL | None:
    """The library for calls of microseconds: letting other threads in would take longer."""
    return _loaded(ctypes.PyDLL)


def _loaded(kind: type[Library]) -> Library | None:
    for path in sorted(Path(__file__).parent.glob(f"{NAME}*.so")):
        try:
            return kind(str(path))
        except OSError:
            continue
    return None
