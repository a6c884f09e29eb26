"""What servers count of a test of units, read as evidence through a real Prometheus."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serinus.analysis.advance import AnalysisOutcome, advance_analysis, queries
from serinus.analysis.promql import exposures_query
from serinus.analysis.samples import Query, QueryFailure
from serinus.analysis.spec import AgainstStable, AnalysisContext, AnalysisRules, Boundary, RateRule
from serinus.api.enums import MetricTemplate
from serinus.metrics.prometheus_reader import PrometheusReader, PrometheusServer
from serinus_runtime.server.ab_test_cells import AbTestCells, Fallback
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.unit_assignment import Arm, Assignment
from tests.apiserver.test_metric_library import CANARY, DEPLOYMENT, STABLE, exported
from tests.support.prometheus_process import NAMESPACE, scraping

TEST = "0123456789"
LIKE_STABLE = (AgainstStable(Boundary(1.0, 0.05), Boundary(1.0, 0.1)),)
RULES = AnalysisRules(
    (
        RateRule("errors", MetricTemplate.ERROR_RATE, LIKE_STABLE),
        RateRule("slow", MetricTemplate.SLOW_REQUESTS, LIKE_STABLE, latency_seconds=0.25),
    ),
    variance_inflation=1.0,
)


def of_a_pod(revision: str) -> Metrics:
    return Metrics(
        deployment=DEPLOYMENT,
        revision=revision,
        model="m",
        digest="sha256:0",
        ab_test=AbTestCells(TEST, CANARY),
    )


@dataclass
class Pods:
    """Two pods, and the Prometheus that scrapes them."""

    url: str = ""
    canary: Metrics = field(default_factory=lambda: of_a_pod(CANARY))
    stable: Metrics = field(default_factory=lambda: of_a_pod(STABLE))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def of_test(self, metrics: Metrics) -> AbTestCells:
        assert metrics.ab_test is not None
        return metrics.ab_test

    async def asked(self, wanted: list[Query]) -> dict[str, object]:
        async with PrometheusReader(PrometheusServer(self.url, None)) as reader:
            answers = await reader.fetch(wanted)
        assert not [one for one in answers.values() if isinstance(one, QueryFailure)]
        return {query.metric: answer for query, answer in answers.items()}

    async def outcome(self) -> AnalysisOutcome:
        """What the analysis says now, from the start on."""
        now = datetime.now(UTC)
        context = AnalysisContext(
            namespace=NAMESPACE,
            deployment=DEPLOYMENT,
            canary_revision=CANARY,
            stable_revision=STABLE,
            workloads=(f"{DEPLOYMENT}-{CANARY}", f"{DEPLOYMENT}-{STABLE}"),
            started_at=self.started_at,
            first_cohort_at=self.started_at,
            scrape_interval=timedelta(milliseconds=500),
            warmup=timedelta(0),
            min_samples=1,
            exposed_only=True,
        )
        wanted = list(queries(RULES, {}, context, now))
        return advance_analysis({}, await self.asked(wanted), RULES, context, now)  # type: ignore[arg-type]

    async def units(self) -> dict[Arm, float]:
        """Units by arm, as the operator asks for them."""
        promql = exposures_query(NAMESPACE, DEPLOYMENT, TEST, range_ms=60_000)
        answer = (await self.asked([Query("units", promql, datetime.now(UTC))]))["units"]
        units = dict.fromkeys(Arm, 0.0)
        for one in answer:  # type: ignore[attr-defined]
            units[Arm(one.labels["arm"])] += one.samples[-1][1]  # each pod has both arms
        return units

    async def show(self, promql: str) -> None:
        """Wait until Prometheus answers the question with both pods."""
        async with asyncio.timeout(20):
            while True:
                answer = (await self.asked([Query("shown", promql, datetime.now(UTC))]))["shown"]
                if len({one.labels["pod"] for one in answer}) == 2:  # type: ignore[attr-defined]
                    return
                await asyncio.sleep(0.2)


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    found = Pods()
    with (
        exported(found.canary) as canary,
        exported(found.stable) as stable,
        scraping(tmp_path, {f"delay-{CANARY}-x": canary, f"delay-{STABLE}-y": stable}) as url,
    ):
        found.url = url
        yield found


async def test_exposed_requests_alone_are_compared_and_the_canary_answers_for_what_it_left(
    pods: Pods,
) -> None:
    await pods.show('count_over_time(serinus_requests_total{exposed="true",code="200"}[1m]) > 1')
    pods.started_at = datetime.now(UTC)
    assignment = Assignment("flights/delay", 50)

    for _ in range(500):  # of nobody: all of them fail, and slowly
        pods.stable.observe(500, 2.0)
    for number in range(60):
        unit = assignment.of(b"%d" % number)
        assert unit is not None
        pods.of_test(pods.stable).units.meet(unit)
        pods.of_test(pods.stable).own.observe(200, 0.01)
        pods.of_test(pods.canary).own.observe(200, 0.5 if number < 20 else 0.01)
    pods.of_test(pods.stable).fell_back(Fallback.NO_ANSWER, 0.1)
    pods.of_test(pods.stable).fell_back(Fallback.TIMEOUT, 5.0)
    pods.of_test(pods.stable).fell_back(Fallback.UNREACHED, 1.0)

    async with asyncio.timeout(20):
        while True:
            outcome = await pods.outcome()
            errors, slow = outcome.verdicts
            of_stable = min(errors.stable.total, slow.stable.total)
            of_canary = min(errors.canary.total, slow.canary.total)
            if of_stable >= 60 and of_canary >= 62:
                break
            await asyncio.sleep(0.5)

    assert (errors.stable.bad, errors.stable.total) == (0, 60)
    assert (errors.canary.bad, errors.canary.total) == (2, 62)
    assert (slow.stable.bad, slow.stable.total) == (0, 60)
    assert (slow.canary.bad, slow.canary.total) == (21, 62)
    assert sum((await pods.units()).values()) == 60


async def test_servers_without_a_test_give_no_evidence_for_one(pods: Pods) -> None:
    pods.started_at = datetime.now(UTC)
    for metrics in (pods.stable, pods.canary):
        metrics.ab_test = None
        metrics.observe(500, 0.01)
    await pods.show('serinus_requests_total{code="500"} == 1')

    outcome = await pods.outcome()

    assert {verdict.canary.total for verdict in outcome.verdicts} == {0}
    assert set((await pods.units()).values()) == {0.0}
