"""Which requests are answered at once, and which have to wait for something."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.prediction_paths import PredictionPaths
from serinus_runtime.server.prediction_requests import SMALL_BODY_BYTES
from serinus_runtime.server.serving import RequestLimits, Serving
from tests.support.model_servers import made
from tests.support.trained_models import flights

ROWS = json.dumps({"rows": flights(2, seed=3)}).encode()


class Runs:
    """A shadow that is there, or an A/B test that runs."""

    is_there = runs = True


@pytest.fixture
def serving(two_classes: Packaged, store: Path) -> Serving:
    return made(two_classes, store)


def at_once(serving: Serving, body: bytes = ROWS) -> Answer | None:
    return PredictionPaths(serving).at_once(b"/predict", (), body, time.monotonic())


def test_rows_are_answered_and_counted(serving: Serving) -> None:
    answer = at_once(serving)

    assert answer is not None
    assert len(orjson.loads(answer.body)["predictions"]) == 2
    assert serving.metrics.requests[200] == 1
    assert serving.metrics.predictions == 2
    assert sum(serving.metrics.duration_buckets) == 1


def test_what_is_wrong_is_told_and_counted(serving: Serving) -> None:
    answer = at_once(serving, b'{"rows": 1}')

    assert answer is not None
    assert answer.status == 400
    assert serving.metrics.requests[400] == 1
    assert serving.metrics.predictions == 0


def test_a_full_server_says_so(serving: Serving) -> None:
    full = replace(serving, limits=replace(serving.limits, concurrency=1))
    full.metrics.in_flight = 1
    answer = at_once(full)

    assert answer is not None
    assert answer.status == 503


WAITS: dict[str, tuple[dict[str, Any], bytes]] = {
    "for a shadow": ({"shadow": Runs()}, ROWS),
    "for an A/B test": ({"ab_test": Runs()}, ROWS),
    "for a thread, since it is large": ({}, ROWS + b" " * SMALL_BODY_BYTES),
    "for a thread, since it has many rows": (
        {},
        json.dumps({"rows": flights(400, seed=3)}).encode(),
    ),
    "for the rest of what it sends": (
        {"limits": RequestLimits(body_bytes=10, rows=10, concurrency=10, answer_seconds=1)},
        ROWS,
    ),
}


@pytest.mark.parametrize("why", WAITS)
def test_a_request_waits(serving: Serving, why: str) -> None:
    changes, body = WAITS[why]

    assert at_once(replace(serving, **cast("Any", changes)), body) is None
    assert sum(serving.metrics.duration_buckets) == 0


@pytest.mark.parametrize(
    ("method", "url", "taken"),
    [
        (b"POST", b"/predict", True),
        (b"POST", b"/invocations", True),
        (b"GET", b"/predict", False),
        (b"POST", b"/predict?x=1", False),
        (b"POST", b"/feedback", False),
    ],
)
def test_a_first_line_says_whether_it_is_a_prediction_request(
    serving: Serving, method: bytes, url: bytes, taken: bool
) -> None:
    assert PredictionPaths(serving).takes(method, url) is taken
