"""How much disk the files of a run may still take, so that no archive fills the node."""

from __future__ import annotations

from serinus_runtime.user_error import SourceError

_MIB_BYTES = 1 << 20


class DiskRoom:
    """Bytes that may still be written; what is taken isn't given back."""

    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = max(0, size_bytes)

    @property
    def left_bytes(self) -> int:
        """What may still be written."""
        return self._left_bytes

    def take(self, size_bytes: int, address: str) -> None:
        """Account for a file of `address`; raises `SourceError` where it doesn't fit."""
        if size_bytes > self._left_bytes:
            raise no_room(address, self._left_bytes)
        self._left_bytes -= size_bytes


def no_room(address: str, left_bytes: int) -> SourceError:
    """That a file needs more disk than is left."""
    return SourceError(
        f"{address} needs more than the {left_bytes // _MIB_BYTES} MiB of disk that are left. "
        "Raise `resources.limits.ephemeral-storage`, or split the source into fewer or smaller "
        "files"
    )
