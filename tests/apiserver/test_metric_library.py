"""The templates that come with the chart, asked of a real Prometheus that scrapes two pods.

What the pods export is what the model server renders.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serinus.analysis.promql import scalar_query
from serinus.analysis.samples import Query
from serinus.analysis.scalar import Unmeasured, measurement
from serinus.analysis.spec import AnalysisContext, ScalarRule
from serinus.api.analysis import Analysis
from serinus.api.verdicts import Verdict
from serinus.metrics.prometheus_reader import PrometheusReader, PrometheusServer
from serinus.reconcile.metric_templates import templated
from serinus.reconcile.snapshot import TemplateMap, TemplatesSeen
from serinus_runtime.server.metrics import Elsewhere, Metrics, rendered
from tests.support.api_server import ROOT
from tests.support.prometheus_process import NAMESPACE, scraping

SHIPPED = ROOT / "charts" / "serinus" / "metric-templates"
DEPLOYMENT, CANARY, STABLE = "delay", "c0ffee0000", "5ab1e00000"
BINS = tuple(str(number) for number in range(10))
POD = {"spec": {"containers": [{"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}]}}
PRICES = {"cpuCoreHour": "0.04", "memoryGibHour": "0.006"}
EVEN = [100] * 10
BENT = [20, 40, 60, 80, 100, 100, 120, 140, 160, 180]


def of_a_pod(revision: str) -> Metrics:
    return Metrics(
        deployment=DEPLOYMENT, revision=revision, model="m", digest="sha256:0", bins=BINS
    )


@dataclass
class Pods:
    """Two pods, and the Prometheus that scrapes them."""

    url: str
    canary: Metrics = field(default_factory=lambda: of_a_pod(CANARY))
    stable: Metrics = field(default_factory=lambda: of_a_pod(STABLE))

    async def value(self, template: str, **parameters: str) -> float | Unmeasured:
        """What the template's query gives now."""
        texts = {template: (SHIPPED / f"{template}.yaml").read_text()}
        seen = TemplatesSeen(shared=(TemplateMap("serinus-system", "shipped", texts),))
        reference = {"name": template, "parameters": {"window": "30s", **parameters}}
        given = Analysis.model_validate(
            {"metrics": [{"name": "m", "templateRef": reference, "max": "1"}]}
        )
        found = templated(given, seen, POD)
        assert found.problem is None
        assert found.analysis is not None
        [metric] = found.analysis.metrics
        assert metric.prometheus is not None
        now = datetime.now(UTC)
        context = AnalysisContext(NAMESPACE, DEPLOYMENT, CANARY, STABLE, (), now, now)
        query = Query("m", scalar_query(ScalarRule("m", metric.prometheus.query), context), now)
        async with PrometheusReader(PrometheusServer(self.url, None)) as reader:
            answers = await reader.fetch([query])
        return measurement(answers[query])

    async def settles(
        self, template: str, *, until: Callable[[float | Unmeasured], bool], **parameters: str
    ) -> float | Unmeasured:
        """The value once it is as wanted."""
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        while True:
            found = await self.value(template, **parameters)
            if until(found) or datetime.now(UTC) > deadline:
                return found
            await asyncio.sleep(0.2)


@contextmanager
def exported(metrics: Metrics) -> Iterator[int]:
    """A port at which the pod's metrics are."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(rendered(metrics, Elsewhere(flagged=0, connections=0, coming=0)))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    found = Pods("")
    with (
        exported(found.canary) as canary,
        exported(found.stable) as stable,
        scraping(tmp_path, {f"delay-{CANARY}-x": canary, f"delay-{STABLE}-y": stable}) as url,
    ):
        found.url = url
        yield found


def is_there(value: float | Unmeasured) -> bool:
    return isinstance(value, float)


async def test_predictions_that_drift_are_told_from_those_that_chance_explains(pods: Pods) -> None:
    nothing = await pods.value("prediction-drift")
    await pods.settles("throughput", until=is_there)
    pods.stable.predictions_binned = list(EVEN)
    pods.canary.predictions_binned = [count // 5 for count in EVEN]
    pods.canary.predictions_binned[3] += 5
    alike = await pods.settles("prediction-drift", until=is_there)
    pods.canary.predictions_binned = list(BENT)
    bent = await pods.settles(
        "prediction-drift", until=lambda value: isinstance(value, float) and value > 0
    )

    assert isinstance(nothing, Unmeasured)
    assert nothing.verdict is Verdict.NO_DATA
    assert isinstance(alike, float)
    assert alike < 0
    # Of an index of 0.298 chance explains 0.068 where both have 1,000 rows.
    assert bent == pytest.approx(0.23, abs=0.03)


async def test_answers_and_their_price_are_counted_by_the_canary_s_pods(pods: Pods) -> None:
    idle = await pods.settles("throughput", until=is_there)
    free = await pods.value("cost-per-1000", **PRICES)
    for _ in range(600):
        pods.canary.observe(200, 0.001)
        pods.canary.observe(500, 0.001)
        pods.stable.observe(200, 0.001)
    busy = await pods.settles(
        "throughput", until=lambda value: isinstance(value, float) and value > 0
    )
    cost = await pods.settles("cost-per-1000", until=is_there, **PRICES)

    assert idle == 0
    assert isinstance(free, Unmeasured)
    assert free.verdict is Verdict.NO_DATA
    assert isinstance(busy, float)
    assert isinstance(cost, float)
    # A pod of 0.5 cores and 1 GiB is 0.026 an hour; what it answers is taken in the same window.
    per_second = 0.026 / 3600
    again = await pods.value("throughput")
    assert isinstance(again, float)
    assert cost == pytest.approx(1000 * per_second / again, rel=0.5)
