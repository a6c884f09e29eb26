"""What the API server's audit log says from some moment on, over its rotations too."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tests.support.live_cluster import USER_AGENT, JsonObject


class AuditLog:
    """The entries written since this was made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open()
        self._file.seek(0, 2)
        self._begun = ""
        self._entries: list[JsonObject] = []

    def __enter__(self) -> "AuditLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def operator_entries(self) -> list[JsonObject]:
        """What the operator has asked for, in order."""
        self._entries.extend(json.loads(line) for line in self._new_lines() if USER_AGENT in line)
        return [it for it in self._entries if it.get("userAgent", "").startswith(USER_AGENT)]

    def operator_writes(self, namespace: str) -> list[JsonObject]:
        """What the operator has written into a namespace, in order."""
        return [
            it
            for it in self.operator_entries()
            if it["verb"] not in ("get", "list", "watch")
            and it.get("objectRef", {}).get("namespace") == namespace
        ]

    def _new_lines(self) -> Iterator[str]:
        yield from self._whole_lines()
        if self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino:
            # Renamed, and nothing more is written to it; its end may have come since it was read.
            yield from self._whole_lines()
            self._file.close()
            self._file = self._path.open()
            yield from self._whole_lines()

    def _whole_lines(self) -> Iterator[str]:
        *whole, self._begun = (self._begun + self._file.read()).split("\n")
        yield from whole
