"""Where requests leave what is to be logged: one append, and never more memory than allowed.

Two threads meet here. The event loop offers and the writer takes; each counts in cells of its own,
because one cell that both add to would lose counts. What C answered it gathers too, in chunks of
columns; requests of either way are in the order in which they came, but not those of both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.kernel.gather_kernel import Chunk
from serinus_runtime.kernel.tensor_kernel import TensorKernel
from serinus_runtime.prediction_log.logged import PERCENT, LoggedPrediction, is_sampled

TAKEN_BYTES = 1 << 20
FORM_OF_TENSORS = "v2"
"""The form that C knows by its number 0."""
CHUNK_BYTES = 2 << 20
_CHUNKS_MIN = 8
"""Into so many chunks, or more, the memory is divided."""
_ENTRY_BYTES = 700
"""What an entry takes beside its numbers: the tuple, its texts and the heads of its arrays."""


@dataclass(frozen=True, slots=True)
class LogCounts:
    """Rows predicted while the log is on, by what came of them; each row is in one of these.

    `dropped` wasn't written since the store was away, or too slow, for longer than memory allows.
    """

    written: int = 0
    dropped: int = 0
    unsampled: int = 0
    waiting: int = 0


class LogBuffer:
    """What waits to be written, within `bytes_max` bytes.

    With a kernel the answers of that are gathered in C, by chunks. `wake` is called when one is
    full.
    """

    def __init__(self, bytes_max: int, kernel: TensorKernel | None = None) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.forms: tuple[str, ...] = (FORM_OF_TENSORS,)
        """How requests were written that were gathered; only more are added."""
        self._kernel = kernel
        self._gathering = kernel.begin_gathering() if kernel else None
        self._sample_percent = 0
        self._bytes_max = bytes_max
        self._chunk_bytes = min(CHUNK_BYTES, bytes_max // _CHUNKS_MIN)
        self._waiting: deque[LoggedPrediction] = deque()
        self._full: deque[Chunk] = deque()
        self._taken_rows = self._taken_bytes = 0  # the event loop's
        self._refused_rows = self._unsampled_rows = 0
        self._written_rows = self._lost_rows = 0  # the writer's
        self._released_bytes = 0

    @property
    def chunk_bytes(self) -> int:
        """What a chunk holds."""
        return self._chunk_bytes

    @property
    def sample_percent(self) -> int:
        """Of how many requests in a hundred the rows are logged; the writer may change it."""
        return self._sample_percent

    @sample_percent.setter
    def sample_percent(self, percent: int) -> None:
        self._sample_percent = percent
        if self._gathering is not None:
            self._gathering.percent = percent

    # The event loop's side

    def offer_unlogged(self, text: bytes, issued_at_ms: int, form: str) -> None:
        """Take what the kernel answered last by this text, and didn't gather."""
        kernel = self._kernel
        if kernel is None:
            return
        kernel.unlogged = False
        number = self._number_of(form)
        if kernel.log(number):
            return
        if not self._begin_chunk():
            self._refused_rows += kernel.n_rows
        elif not kernel.log(number):  # too large for a chunk
            self.offer(kernel.prediction_id(text), issued_at_ms, form, *kernel.kept())

    def _number_of(self, form: str) -> int:
        if form not in self.forms:
            self.forms = (*self.forms, form)
        return self.forms.index(form)

    def _begin_chunk(self) -> bool:
        """Leave the chunk that is there to the writer, and begin another if there is room."""
        gathering = self._gathering
        if gathering is None:
            return False
        if (full := gathering.exchange(None)) is not None:
            self._full.append(full)
            self.wake()
        if self._taken_bytes - self._released_bytes + self._chunk_bytes > self._bytes_max:
            return False
        chunk = gathering.new_chunk(self._chunk_bytes)
        self._taken_bytes += self._chunk_bytes
        gathering.exchange(chunk)
        return True

    def offer(
        self,
        prediction_id: str,
        issued_at_ms: int,
        form: str,
        rows: FloatArray,
        answers: FloatArray,
        decided: NDArray[np.intp] | None,
        *,
        mirrored: bool = False,
    ) -> None:
        """Take what a request was answered, if it is in the sample and there is room."""
        percent = self.sample_percent
        if percent < PERCENT and not is_sampled(prediction_id, percent):
            self._unsampled_rows += len(rows)
            return
        if answers.base is not None:
            answers = answers.copy()  # a part of a batch would keep all of it
        entry = LoggedPrediction(
            prediction_id, issued_at_ms, form, mirrored, percent, rows, answers, decided
        )
        size = held_bytes(entry)
        if self._taken_bytes - self._released_bytes + size > self._bytes_max:
            self._refused_rows += len(rows)
            return
        self._taken_rows += len(rows)
        self._taken_bytes += size
        self._waiting.append(entry)

    # The writer's side

    def take(self, limit: int) -> list[LoggedPrediction]:
        """The oldest entries, at most `limit` and not much over `TAKEN_BYTES`.

        Their bytes stay taken until they are released.
        """
        taken: list[LoggedPrediction] = []
        size = 0
        while self._waiting and len(taken) < limit and size < TAKEN_BYTES:
            taken.append(self._waiting.popleft())
            size += held_bytes(taken[-1])
        return taken

    def take_chunk(self) -> Chunk | None:
        """The oldest chunk, also the one in which is gathered; None: nothing was gathered.

        All its bytes stay taken.
        """
        if self._full:
            return self._full.popleft()
        return self._gathering.exchange(None) if self._gathering is not None else None

    def release_unused(self, size: int) -> None:
        """Of a chunk, so many bytes less are held from now on."""
        self._released_bytes += size

    def release_written(self, rows: int, size: int) -> None:
        """Rows are in the store, and their bytes free."""
        self._written_rows += rows
        self._released_bytes += size

    def release_lost(self, rows: int, size: int) -> None:
        """Rows will never be written."""
        self._lost_rows += rows
        self._released_bytes += size

    # Anybody's

    def offered(self) -> tuple[int, int, int]:
        """Rows that were taken, refused, and not in the sample."""
        gathering = self._gathering
        if gathering is None:
            return self._taken_rows, self._refused_rows, self._unsampled_rows
        return (
            self._taken_rows + gathering.taken_rows,
            self._refused_rows,
            self._unsampled_rows + gathering.unsampled_rows,
        )

    def ended(self) -> tuple[int, int]:
        """Rows that were taken and are written, or lost."""
        return self._written_rows, self._lost_rows

    def counts(self) -> LogCounts:
        """What came of all rows so far."""
        written, lost = self._written_rows, self._lost_rows
        taken, refused, unsampled = self.offered()
        return LogCounts(
            written=written,
            dropped=refused + lost,
            unsampled=unsampled,
            waiting=taken - written - lost,
        )


def held_bytes(entry: LoggedPrediction) -> int:
    """About how much memory an entry takes."""
    decided = 0 if entry.decided is None else entry.decided.nbytes
    return _ENTRY_BYTES + entry.rows.nbytes + entry.answers.nbytes + decided
