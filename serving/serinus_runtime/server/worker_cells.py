"""What the workers of a pod count, in memory that outlives each of them.

The supervisor makes it before the first worker starts, so all processes of the pod see the same
bytes. A worker counts in its own cells, where the one that takes its place goes on: what was
counted isn't lost however a worker ends, and no sum of the pod ever falls. Each cell has one
writer and is one aligned machine word, so whoever reads it sees the value before or after.

    pod:      deaths of workers
    worker:   words of `Word` · requests by status · by duration · rows by bin · cohorts · shadows
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum

from serinus.api.label_scores import COHORTS_KEPT
from serinus_runtime.server.metrics import ShadowOutcome
from serinus_runtime.server.request_cells import LATENCY_BOUNDS_SECONDS

SHADOWS_REMEMBERED = 16
"""Revisions of shadows for which a worker has cells; more than a pod ever shows."""

STATUS_MIN, STATUS_MAX = 100, 599
_WORD = struct.calcsize("q")
_WORDS_OF_POD = 8
_WORDS_OF_SHADOW = 2 + len(ShadowOutcome)


class State(IntEnum):
    """How far a worker is."""

    STARTING = 0
    READY = 1
    ENDING = 2


class Word(IntEnum):
    """Places of a worker's single numbers. `SECONDS` is a float, the others are integers."""

    STATE = 0
    SECONDS = 1
    PREDICTIONS = 2
    OUT_OF_RANGE = 3
    UNREAD = 4
    FLAGGED = 5
    IN_FLIGHT = 6
    CONNECTIONS = 7
    COMING = 8
    LOG_TAKEN = 9
    LOG_REFUSED = 10
    LOG_UNSAMPLED = 11
    LOG_WRITTEN = 12
    LOG_LOST = 13
    ACCESS_WRITTEN = 14
    ACCESS_DROPPED = 15
    COHORTS_BEGUN = 16
    SPANS_EXPORTED = 17
    SPANS_DROPPED = 18
    SPANS_FAILED = 19
    ONLINE_PRESENT = 20
    ONLINE_STALE = 21
    ONLINE_MISSING = 22
    ONLINE_ENTITIES = 23
    BEAT = 24
    """When the event loop was last seen to go round, in whole monotonic seconds."""
    ONLINE_UNAVAILABLE = 25


@dataclass(frozen=True, slots=True)
class WorkerCells:
    """The cells of one worker; parts of the shared memory."""

    words: memoryview[int]
    floats: memoryview[float]
    statuses: memoryview[int]
    """From `STATUS_MIN` on."""
    durations: memoryview[int]
    bins: memoryview[int]
    cohorts: memoryview[int]
    """The newest cohorts in which the worker answered, in a ring that `COHORTS_BEGUN` counts."""
    shadows: tuple[memoryview[int], ...]
    """When first met (milliseconds since 1970; 0: not used), the revision, and the outcomes."""

    @property
    def state(self) -> State:
        """How far the worker is."""
        return State(self.words[Word.STATE])

    def become(self, state: State) -> None:
        """Say how far the worker is."""
        self.words[Word.STATE] = state

    def begin(self) -> None:
        """A worker takes the place: what it counts comes on top of what is there."""
        self.become(State.STARTING)

    def settle(self) -> None:
        """The worker is gone: it has nothing open, and what its log hadn't written is lost."""
        words = self.words
        for gauge in (Word.IN_FLIGHT, Word.CONNECTIONS, Word.COMING, Word.ONLINE_ENTITIES):
            words[gauge] = 0
        words[Word.LOG_LOST] = words[Word.LOG_TAKEN] - words[Word.LOG_WRITTEN]
        self.become(State.ENDING)


class PodCells:
    """The cells of all workers of a pod, `bins` of predictions each."""

    def __init__(self, workers: int, bins: int) -> None:
        sizes = _sizes(bins)
        size = sum(sizes)
        self._memory = mmap.mmap(-1, _WORD * (_WORDS_OF_POD + workers * size))
        whole = memoryview(self._memory)
        self._pod = whole[: _WORD * _WORDS_OF_POD].cast("q")
        self.workers = tuple(
            _cells(whole[_WORD * start : _WORD * (start + size)], sizes)
            for start in range(_WORDS_OF_POD, _WORDS_OF_POD + workers * size, size)
        )

    @property
    def deaths(self) -> int:
        """Workers that ended without being told to; the supervisor's to count."""
        return self._pod[0]

    def count_death(self) -> None:
        """One more."""
        self._pod[0] += 1

    @property
    def all_ready(self) -> bool:
        """Whether every worker answers."""
        return all(worker.words[Word.STATE] == State.READY for worker in self.workers)

    def total(self, word: Word) -> int:
        """The sum of all workers."""
        return sum(worker.words[word] for worker in self.workers)


def _sizes(bins: int) -> tuple[int, ...]:
    """Words of a worker's parts."""
    return (
        len(Word),
        STATUS_MAX - STATUS_MIN + 1,
        len(LATENCY_BOUNDS_SECONDS) + 1,
        bins,
        COHORTS_KEPT,
        *([_WORDS_OF_SHADOW] * SHADOWS_REMEMBERED),
    )


def _cells(memory: memoryview[int], sizes: tuple[int, ...]) -> WorkerCells:
    whole = memory.cast("q")
    parts, start = [], 0
    for size in sizes:
        parts.append(whole[start : start + size])
        start += size
    words, statuses, durations, bins, cohorts, *shadows = parts
    floats = memory[: _WORD * len(Word)].cast("d")
    return WorkerCells(words, floats, statuses, durations, bins, cohorts, tuple(shadows))
