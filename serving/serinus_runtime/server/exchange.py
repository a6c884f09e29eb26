"""What passes between a form of request and the model: rows in, answers out.

A *form* is one way to write a prediction request: rows of named values, or the tensors of the Open
Inference Protocol. It knows its JSON and nothing of limits, threads or counters.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.forest import FloatArray

JsonObject: TypeAlias = dict[str, Any]


class LookedUp(NamedTuple):
    """How many values of a request were looked up, by what came of them.

    One that is `present` is there and young enough, a `stale` one is older than its FeatureSet's
    `online.maxStaleness`. `missing`: there is no row of the entity, or no value in it.
    `unavailable`: nobody knows, for the server that has the rows didn't answer in time.
    """

    present: int = 0
    stale: int = 0
    missing: int = 0
    unavailable: int = 0


class Asked(NamedTuple):
    """Encoded rows of a request, and what it wants of its answer.

    `given_id` is the client's own name of the request, `outputs` the names of the outputs that it
    asks for; None: it didn't say. `binary` are those outputs that it wants as raw bytes.
    `looked_up` is None where no value was.
    """

    rows: FloatArray
    given_id: str | None = None
    outputs: frozenset[str] | None = None
    binary: frozenset[str] = frozenset()
    looked_up: LookedUp | None = None


class Answered(NamedTuple):
    """Answers of one request; `decided` is None for a regression.

    `issued_at_ms` is when they were made, in milliseconds since 1970.
    """

    answers: FloatArray
    decided: NDArray[np.intp] | None
    prediction_id: str
    issued_at_ms: int = 0


class Written(NamedTuple):
    """An answer: its JSON, and the binary data that follows it."""

    document: JsonObject
    binary: bytes = b""


class Form(Protocol):
    """One way to write a request and its answer.

    `read` may be called on any thread; so may `written`. Both are pure but for `encoder.flags`.
    """

    word: str
    """Its name, where requests are told apart by their form."""

    rows_field: str
    """Where the rows are, for a message."""

    takes_binary: bool
    """Whether binary data may follow the JSON of a request."""

    takes_csv: bool
    """Whether a request may be CSV."""

    def row_count(self, document: JsonObject) -> int:
        """How many rows the request claims to have, before any of them is looked at."""

    def read(self, document: JsonObject, encoder: RowEncoder) -> Asked:
        """The request; raises `BadRequest` naming what doesn't fit."""

    def written(self, asked: Asked, answered: Answered) -> Written:
        """The answer."""
