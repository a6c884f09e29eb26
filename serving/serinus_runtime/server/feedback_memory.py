"""Which rows of which predictions were counted: two bytes an id, dropped with their cohort.

A process numbers its ids, so ids of one process and one time are neighbours. They share a page of
a bit for each row, which costs as much whether one of its ids was counted or all. What would take
more than `limit_bytes` isn't remembered, and whoever asks must not count it: a label may be
missing, it may not count twice.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TypeAlias

from serinus_runtime.server.prediction_id import MAX_ROWS

Page: TypeAlias = "array[int]"

_IDS_OF_A_PAGE = 1024
_ROW_BITS = "H"
PAGE_BYTES = _IDS_OF_A_PAGE * array(_ROW_BITS).itemsize + 256
"""What a page takes, with its place in the dictionary."""

assert array(_ROW_BITS).itemsize * 8 >= MAX_ROWS


class MemoryFullError(Exception):
    """Nothing more can be remembered until a cohort is dropped."""


@dataclass(frozen=True, slots=True)
class SeenRows:
    """Rows of one prediction."""

    page: Page
    slot: int

    def first_time(self, row: int) -> bool:
        """Whether the row is new; it isn't any more."""
        seen = self.page[self.slot]
        self.page[self.slot] = seen | 1 << row
        return not seen >> row & 1


@dataclass(slots=True)
class FeedbackMemory:
    """All rows that were counted, by cohort."""

    limit_bytes: int
    _cohorts: dict[int, dict[int, Page]] = field(default_factory=dict)

    def rows_of(self, cohort: int, unique: bytes) -> SeenRows:
        """The rows of a prediction; raises `MemoryFullError`."""
        page_number, slot = divmod(int.from_bytes(unique, "big"), _IDS_OF_A_PAGE)
        page = self._cohorts.get(cohort, {}).get(page_number)
        if page is None:
            if self.size_bytes + PAGE_BYTES > self.limit_bytes:
                raise MemoryFullError
            page = array(_ROW_BITS, bytes(_IDS_OF_A_PAGE * array(_ROW_BITS).itemsize))
            self._cohorts.setdefault(cohort, {})[page_number] = page
        return SeenRows(page, slot)

    def forget_before(self, oldest: int) -> None:
        """Drop cohorts that are no longer kept."""
        for cohort in [cohort for cohort in self._cohorts if cohort < oldest]:
            del self._cohorts[cohort]

    @property
    def size_bytes(self) -> int:
        """What is held."""
        return PAGE_BYTES * sum(len(pages) for pages in self._cohorts.values())
