"""What the analysis asks the metrics provider for, and what it gets: values only, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Query:
    """An instant query, to be sent as it stands.

    Attributes
    ----------
    metric
        Name of the metric rule that wants the answer.
    promql
        A raw range-vector selector for a rate, sums for how stable was; for a scalar the user's
        own expression.
    evaluated_at
        The query's `time`; aware.
    """

    metric: str
    promql: str
    evaluated_at: datetime


@dataclass(frozen=True, slots=True)
class RangeVector:
    """One series: its labels (with `__name__`) and samples `(unix seconds, value)` by time.

    A provider's instant vector becomes one of these for each series, with one sample; a
    provider's scalar becomes one without labels.
    """

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


class QueryFailureKind(StrEnum):
    """Why there is no answer."""

    UNREACHABLE = "Unreachable"
    """No connection, or it broke."""
    TIMEOUT = "Timeout"
    """The provider didn't answer in time."""
    REJECTED = "Rejected"
    """The provider refused the query: syntax, too many samples, no permission."""
    INVALID_ANSWER = "InvalidAnswer"
    """The answer isn't what the provider's API promises."""


@dataclass(frozen=True, slots=True)
class QueryFailure:
    """The provider gave no usable answer; `message` says why in one line, without secrets."""

    kind: QueryFailureKind
    message: str

    @property
    def is_away(self) -> bool:
        """Whether the provider didn't answer at all, so that the question is still open."""
        return self.kind in (QueryFailureKind.UNREACHABLE, QueryFailureKind.TIMEOUT)


class Contradiction(StrEnum):
    """Why a round can't be counted."""

    DUPLICATE_SERIES = "two series for the same counter; ask one replica of Prometheus only"
    NOT_A_COUNT = "a counter that is negative, too large or not whole"
    BAD_EXCEEDS_TOTAL = "more bad events than events"
    NO_BUCKET = "`latency` is no bucket bound of the histogram"
    NO_LOSS = "the model server exports no loss of this `score`"
    NO_RANGES = "the model server doesn't count inputs out of range; it is older than the metric"


QueryResult = tuple[RangeVector, ...] | QueryFailure
