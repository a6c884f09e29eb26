"""What is logged of a request, and which requests are.

Whether one is in the sample follows from its prediction id alone, so that anybody who has an id can
tell whether its rows were to be logged, and that a client which asks again and again is sampled as
all others are.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.forest import FloatArray

PERCENT = 100


class LoggedPrediction(NamedTuple):
    """One request's rows as the model got them, and its answers.

    `rows` (n_rows, n_inputs) are encoded: a text is the number of its category, and what wasn't
    declared as an input isn't there. `decided` is None for a regression. Nobody got the answer of a
    `mirrored` request.
    """

    prediction_id: str
    issued_at_ms: int
    form: str
    mirrored: bool
    sample_percent: int
    rows: FloatArray
    answers: FloatArray
    decided: NDArray[np.intp] | None


def is_sampled(prediction_id: str, percent: int) -> bool:
    """Whether the request of this id belongs to a sample of `percent` (0 to 100) of all."""
    return zlib.crc32(prediction_id.encode()) * PERCENT >> 32 < percent
