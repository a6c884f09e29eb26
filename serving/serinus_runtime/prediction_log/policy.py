"""What may change while a pod serves: how much is logged, and how long that is kept.

The operator writes it into a ConfigMap, and Kubernetes puts that into a file of the pod; there is
none where nothing is to be logged. So another sample is no other revision, and restarts nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from serinus_runtime.prediction_log.logged import PERCENT


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """A sample of `sample_percent` of the requests; files older, or more, than this go."""

    sample_percent: int
    max_age_seconds: float
    max_size_bytes: int


def policy_in(path: Path) -> LogPolicy | None:
    """The policy that a file says, None where there is no file; raises `ValueError`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error
    document = orjson.loads(content)
    if not isinstance(document, dict):
        raise ValueError(f"{path}: expected an object")  # noqa: TRY004 (bytes of somebody else)
    return LogPolicy(
        sample_percent=int(_number(document, "samplePercent", PERCENT)),
        max_age_seconds=_number(document, "maxAgeSeconds"),
        max_size_bytes=int(_number(document, "maxSizeBytes")),
    )


def _number(document: dict[str, Any], name: str, most: float = math.inf) -> float:
    value = document.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
        return float(value)
    limit = "" if most == math.inf else f" up to {most:g}"
    raise ValueError(f"`{name}`: expected a number from 0{limit}, got {value!r}")
