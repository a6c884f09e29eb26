"""The writer of a log: a thread of its own, so that no request waits for it.

What requests left is gathered a few at a time with a pause in between, because in Python a thread
that works holds up the one that answers. A file is written once enough has come, or it is old
enough, or the server ends. Where the store is away the file waits and is tried again; meanwhile the
buffer fills, and what finds no room in it is dropped and counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from serinus_runtime.paced_thread import PacedThread
from serinus_runtime.prediction_log.buffer import LogBuffer, held_bytes
from serinus_runtime.prediction_log.files import (
    Writer,
    file_path,
    files_in,
    files_over,
    leftovers_in,
    remove_files,
    write_file,
)
from serinus_runtime.prediction_log.logged import LoggedPrediction
from serinus_runtime.prediction_log.parquet import parquet_file
from serinus_runtime.prediction_log.policy import LogPolicy, policy_in
from serinus_runtime.prediction_log.table import (
    Gathered,
    LogSchema,
    columns_of,
    gathered,
    gathered_in_c,
)
from serinus_runtime.store import LEFTOVER_AGE

logger = logging.getLogger(__name__)

AT_ONCE = 256
"""Requests gathered without a pause: a fraction of a millisecond."""
PAUSE_SECONDS = 0.0005
LOOK_SECONDS = 0.5
POLICY_SECONDS = 5.0
"""How often it is looked whether the sample is another one."""
RETRY_SECONDS = 10.0
CLEAR_SECONDS = 300.0
FILE_BYTES = 8 << 20
"""Memory that the rows of a file take, from which on it is written."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a process writes, and what says how much.

    Rows wait for at most `flush_seconds` to be written.
    """

    folder: Path
    policy_file: Path
    writer: Writer
    notes: tuple[tuple[str, str], ...]
    flush_seconds: float


@dataclass(frozen=True, slots=True)
class _Unwritten:
    """A file that is to be written: its rows, and the memory that they still count for."""

    path: Path
    content: bytes
    rows: int
    size: int


class LogWriter:
    """Takes from a buffer and writes files. Everything happens in `step`; time is passed in."""

    def __init__(
        self,
        buffer: LogBuffer,
        schema: LogSchema,
        place: LogPlace,
        *,
        pause: Callable[[], None] = lambda: time.sleep(PAUSE_SECONDS),
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._buffer = buffer
        self._schema = schema
        self._place = place
        self._pause = pause
        self._today = today
        self._parts: list[Gathered] = []
        self._rows = self._size = self._first_at_ms = self._files = 0
        self._since = 0.0
        self._unwritten: _Unwritten | None = None
        self._policy: LogPolicy | None = None
        self._looks_at = self._tries_at = self._clears_at = 0.0
        self._is_away = False

    def step(self, now: float) -> None:
        """Do what is to be done `now` (monotonic)."""
        if now >= self._looks_at:
            self._looks_at = now + POLICY_SECONDS
            self.look()
        if self._unwritten is None:
            self._gather(now)
            if self._is_due(now):
                self._make_file()
        if self._unwritten is not None and now >= self._tries_at:
            self._tries_at = now + RETRY_SECONDS
            self._write()
        if self._policy is not None and now >= self._clears_at:
            self._clears_at = now + CLEAR_SECONDS
            self._clear(self._policy)

    def finish(self) -> None:
        """Write all that there is; what can't be written now is lost, and counted."""
        while self._unwritten is not None or self._gathered_more():
            if self._unwritten is None:
                self._make_file()
            self._write()
            if self._unwritten is not None:
                break
        self.give_up()

    def look(self) -> None:
        """Take the sample as it is now; what can't be read leaves it as it was."""
        try:
            policy = policy_in(self._place.policy_file)
        except ValueError as error:
            logger.warning("prediction log's policy refused: %s", error)
            return
        percent = policy.sample_percent if policy else 0
        if policy != self._policy:
            logger.info("prediction log sampled", extra={"sample_percent": percent})
        self._policy = policy
        self._buffer.sample_percent = percent

    def give_up(self) -> None:
        """Let go of all that isn't written, and count it as dropped."""
        if self._unwritten is not None:
            self._buffer.release_lost(self._unwritten.rows, self._unwritten.size)
            self._unwritten = None
        self._buffer.release_lost(self._rows, self._size)
        self._parts = []
        self._rows = self._size = 0
        while entries := self._buffer.take(AT_ONCE):
            self._buffer.release_lost(_rows_of(entries), _size_of(entries))
        while (chunk := self._buffer.take_chunk()) is not None:
            self._buffer.release_lost(chunk.n_rows, self._buffer.chunk_bytes)

    def _is_due(self, now: float) -> bool:
        aged = bool(self._parts) and now - self._since >= self._place.flush_seconds
        return aged or self._size >= FILE_BYTES

    def _gathered_more(self) -> bool:
        self._gather(time.monotonic())
        return bool(self._parts)

    def _gather(self, now: float) -> None:
        """Take what there is, from both ways in turn."""
        while self._size < FILE_BYTES:
            parts = [part for part in (self._next_chunk(), self._next_entries()) if part]
            if not parts:
                return
            if not self._parts:
                self._since, self._first_at_ms = now, int(parts[0].issued_at_ms[0])
            self._parts += parts
            self._pause()

    def _next_entries(self) -> Gathered | None:
        entries = self._buffer.take(AT_ONCE)
        if not entries:
            return None
        self._rows += _rows_of(entries)
        self._size += _size_of(entries)
        return gathered(entries)

    def _next_chunk(self) -> Gathered | None:
        """A copy of what is in a chunk, which takes less than that does."""
        chunk = self._buffer.take_chunk()
        if chunk is None:
            return None
        self._buffer.release_unused(self._buffer.chunk_bytes - chunk.held_bytes)
        if not chunk.n_requests:
            return None
        self._rows += chunk.n_rows
        self._size += chunk.held_bytes
        is_classification = bool(self._schema.classes)
        return gathered_in_c(chunk, self._buffer.forms, is_classification=is_classification)

    def _make_file(self) -> None:
        """Encode what was gathered."""
        self._files += 1
        path = file_path(self._place.folder, self._place.writer, self._first_at_ms, self._files)
        content = parquet_file(columns_of(self._parts, self._schema), dict(self._place.notes))
        self._unwritten = _Unwritten(path, content, self._rows, self._size)
        self._parts = []
        self._rows = self._size = 0

    def _write(self) -> None:
        file = self._unwritten
        if file is None:
            return
        try:
            write_file(file.path, file.content)
        except OSError as error:
            if not self._is_away:
                logger.warning(
                    "prediction log can't be written: %s; rows are kept as far as memory allows",
                    error,
                )
            self._is_away = True
            return
        if self._is_away:
            logger.info("prediction log written again")
        self._is_away = False
        self._unwritten = None
        self._tries_at = 0.0
        self._buffer.release_written(file.rows, file.size)

    def _clear(self, policy: LogPolicy) -> None:
        """Remove what is too old or too much."""
        folder, today = self._place.folder, self._today()
        try:
            over = files_over(
                files_in(folder),
                today,
                max_age=timedelta(seconds=policy.max_age_seconds),
                max_size_bytes=policy.max_size_bytes,
            )
            remove_files([*leftovers_in(folder, today - LEFTOVER_AGE), *over])
        except OSError as error:
            logger.warning("prediction log can't be cleared: %s", error)
            return
        if over:
            logger.info("prediction log cleared", extra={"files": len(over)})


def _rows_of(entries: list[LoggedPrediction]) -> int:
    return sum(len(entry.rows) for entry in entries)


def _size_of(entries: list[LoggedPrediction]) -> int:
    return sum(held_bytes(entry) for entry in entries)


class PredictionLog:
    """A buffer and the thread that empties it."""

    def __init__(self, buffer: LogBuffer, writer: LogWriter) -> None:
        self.buffer = buffer
        self._writer = writer
        self._thread = PacedThread("prediction-log", LOOK_SECONDS, self._step, writer.finish)
        buffer.wake = self._thread.wake

    def start(self) -> None:
        """Begin to write, with the sample as it is."""
        self._writer.look()
        self._thread.start()

    def close(self, within_seconds: float) -> None:
        """Write what is left; a store that takes longer is left alone."""
        self._thread.close(within_seconds)

    def _step(self) -> None:
        try:
            self._writer.step(time.monotonic())
        except Exception:
            logger.exception("prediction log failed; what waited is dropped")
            self._writer.give_up()
