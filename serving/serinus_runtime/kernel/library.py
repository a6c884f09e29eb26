"""The shared library, where it was built."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

NAME = "_library"


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library; None where none was built, or for another machine."""
    for path in sorted(Path(__file__).parent.glob(f"{NAME}*.so")):
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            continue
    return None
