"""Watches with the time at which each event arrived, and Prometheus, through the API server."""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flights_demo.cluster import proxy
from serinus.analysis.rounds import closed_rounds
from tests.support.live_cluster import OPERATOR_NAMESPACE

JsonObject = dict[str, Any]
TIMEOUT_SECONDS = 30
PROMETHEUS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/services/serinus-prometheus:9090/proxy"
LOOKBACK_SECONDS = 30


@dataclass(frozen=True)
class Seen:
    """An event, and the Unix time at which it arrived."""

    body: JsonObject
    at: float


class ApiServer:
    """Plain HTTP to the API server; `kubectl proxy` signs in."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get(self, path: str) -> JsonObject:
        """Read an object."""
        with urllib.request.urlopen(f"{self._address}{path}", timeout=TIMEOUT_SECONDS) as answer:
            found: JsonObject = json.load(answer)
            return found

    def merge(self, path: str, patch: JsonObject) -> None:
        """Change an object."""
        request = urllib.request.Request(
            f"{self._address}{path}",
            data=json.dumps(patch).encode(),
            headers={"Content-Type": "application/merge-patch+json"},
            method="PATCH",
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            answer.read()

    def watch(self, path: str, seen: queue.Queue[Seen]) -> None:
        """Put what happens below `path` into `seen`, until the process ends."""

        def follow() -> None:
            with urllib.request.urlopen(f"{self._address}{path}?watch=1", timeout=3600) as lines:
                for line in lines:
                    at = time.time()
                    event = json.loads(line)
                    body = event["object"]
                    if event["type"] == "DELETED":
                        body["endpoints"] = []
                    if body["kind"] != "Status":
                        seen.put(Seen(body, at))

        threading.Thread(target=follow, daemon=True).start()

    def first_round_after(
        self, namespace: str, deployment: str, watermark_ms: int, interval_seconds: float
    ) -> float:
        """When the scrapes closed the first round after a watermark, in Unix seconds.

        Until then the evidence didn't suffice; so no rollback is taken to be faster than it was.
        """
        selector = f'serinus_requests_total{{namespace="{namespace}",deployment="{deployment}"}}'
        words = {"query": f"{selector}[{LOOKBACK_SECONDS}s]", "time": time.time()}
        answer = self.get(f"{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode(words)}")
        scrapes: dict[str, set[int]] = {}
        for series in answer["data"]["result"]:
            times = {round(1000 * float(at)) for at, _ in series["values"]}
            scrapes.setdefault(series["metric"]["pod"], set()).update(times)
        rounds = closed_rounds(
            {pod: sorted(times) for pod, times in scrapes.items()},
            after_ms=watermark_ms,
            scrape_interval_ms=round(1000 * interval_seconds),
        )
        return rounds[0].end_ms / 1000


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """The API server of KUBECONFIG's cluster."""
    with proxy() as url:
        yield ApiServer(url)
