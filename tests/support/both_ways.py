"""Requests asked of C and of the server's own way, whose answers are held to each other."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from serinus_runtime.server.metrics import Elsewhere, rendered
from serinus_runtime.server.prediction_paths import PredictionPaths
from serinus_runtime.server.serving import Serving

ID = re.compile(rb'"[A-Za-z0-9_-]{40,}"')


def usual(serving: Serving, url: bytes, body: bytes) -> bytes | None:
    """What C answers, if it does."""
    return PredictionPaths(serving).usual(url, body, time.monotonic())


def own_way(serving: Serving, url: bytes, body: bytes) -> tuple[int, bytes]:
    """What the server's own way answers."""
    answer = PredictionPaths(serving).at_once(url, (), body, time.monotonic())
    assert answer is not None
    return answer.status, answer.body


def counted(serving: Serving) -> list[str]:
    """What the metrics say but for the time it took."""
    flagged = serving.encoder.flags.total
    text = rendered(serving.metrics, Elsewhere(flagged=flagged, connections=0, coming=0)).decode()
    lines = [line for line in text.splitlines() if "_seconds" not in line]
    return [re.sub(r'cohort="\d+"', "", line) for line in lines]


def hold_to_each_other(package: Callable[[], Serving], url: bytes, body: bytes) -> bool:
    """Ask both ways; whether C took the request. What it takes differs in nothing but the id."""
    by_c, by_python = package(), package()
    text = usual(by_c, url, body)
    if text is None:
        assert counted(by_c) == counted(package())
        return False
    flagged = by_python.encoder.flags.total
    status, expected = own_way(by_python, url, body)
    assert (status, by_python.encoder.flags.total) == (200, flagged)
    assert ID.sub(b'"an id"', text) == ID.sub(b'"an id"', expected)
    assert counted(by_c) == counted(by_python)
    return True


def fresh(serving: Serving) -> Callable[[], Serving]:
    """The same server, with nothing counted yet."""
    metrics = serving.metrics
    return lambda: replace(
        serving,
        metrics=type(metrics)(
            deployment=metrics.deployment,
            revision=metrics.revision,
            model=metrics.model,
            digest=metrics.digest,
            bins=metrics.bins,
        ),
    )


def body_of(document: Any) -> bytes:
    """A document as JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
