"""Whether a shadow answered a request as stable did: the same decision, not the same bytes.

Ids, revisions and probabilities differ between any two versions; what callers act on is the value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson

from serinus_runtime.artifact.signature import Datatype
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.binary_tensors import HEADER

CLOSE = 0.01
"""Numbers that a regression answers are the same within this share of each other."""
_NEAR_ZERO = 1e-9
_ANSWERED = 200


def agree(stable: Answer, shadow: Answer) -> bool:
    """Whether both answered with the same values for all rows, or both refused alike."""
    if stable.status != shadow.status:
        return False
    if stable.status != _ANSWERED:
        return True
    try:
        values, shadow_values = _values(stable), _values(shadow)
        return len(values) == len(shadow_values) and all(map(_is_same, values, shadow_values))
    except (ValueError, LookupError, TypeError, AttributeError):  # not as our server answers
        return False


def _values(answer: Answer) -> list[Any]:
    """The answered values in the order of the rows, in whichever protocol."""
    size = dict(answer.headers).get(HEADER)
    json_bytes = len(answer.body) if size is None else int(size)
    document = orjson.loads(answer.body[:json_bytes])
    if "predictions" in document:
        return [one["value"] if type(one) is dict else one for one in document["predictions"]]
    output = document["outputs"][0]
    if "data" in output:
        return list(output["data"])
    data = answer.body[json_bytes:][: output["parameters"]["binary_data_size"]]
    if output["datatype"] == Datatype.FP64:
        numbers: list[Any] = np.frombuffer(data, dtype="<f8").tolist()
        return numbers
    return [data]


def _is_same(one: Any, other: Any) -> bool:
    if type(one) is float and type(other) is float:
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=_NEAR_ZERO)
    return type(one) is type(other) and bool(one == other)
