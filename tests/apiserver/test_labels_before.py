"""How stable's labels were is summed up by a real Prometheus, all cohorts together."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serinus.analysis.baseline_query import counted_by_slice
from serinus.analysis.promql import labels_before_query
from serinus.analysis.samples import Query, QueryFailure
from serinus.analysis.spec import AgainstMaximum, AnalysisContext, RateRule
from serinus.api.enums import MetricTemplate
from serinus.api.label_scores import LabelScore, ScoreName
from serinus.metrics.prometheus_reader import PrometheusReader, PrometheusServer
from serinus_runtime.server.label_rules import LabelRules
from serinus_runtime.server.metrics import CohortCells, Metrics
from tests.apiserver.test_metric_library import CANARY, DEPLOYMENT, STABLE, exported
from tests.support.prometheus_process import NAMESPACE, scraping

BRIER = LabelScore(ScoreName.BRIER)
MAXIMUM = (AgainstMaximum(0.1),)
RULES = (
    RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, MAXIMUM),
    RateRule("brier", MetricTemplate.PREDICTION_LOSS, MAXIMUM, score="brier"),
    RateRule("missed", MetricTemplate.FALSE_NEGATIVES, MAXIMUM),
)


BROKEN = CohortCells(right="not to be added up")  # type: ignore[arg-type]


def labelled(revision: str) -> Metrics:
    rules = LabelRules(scores=(BRIER,))
    return Metrics(
        deployment=DEPLOYMENT, revision=revision, model="m", digest="sha256:0", label_rules=rules
    )


def add(metrics: Metrics, cohort: int, *, right: int, wrong: int, exposed: bool = False) -> None:
    cells = metrics.cohort_cells(metrics.revision, cohort, exposed=exposed)
    cells.right += right
    cells.wrong += wrong
    cells.losses[BRIER] += wrong / 2
    for number in range(right + wrong):
        cells.count_of_two(positive=True, right=number < right)


async def sums(url: str) -> dict[str, tuple[float, int]]:
    """Bad and all labels of stable, over all slices of a second."""
    now = datetime.now(UTC)
    workloads = (f"{DEPLOYMENT}-{CANARY}", f"{DEPLOYMENT}-{STABLE}")
    context = AnalysisContext(NAMESPACE, DEPLOYMENT, CANARY, STABLE, workloads, now, now)
    queries = {
        rule.name: Query(
            rule.name, labels_before_query(rule, context, slices=30, slice_ms=1000), now
        )
        for rule in RULES
    }
    async with PrometheusReader(PrometheusServer(url)) as reader:
        answers = await reader.fetch(queries.values())
    found: dict[str, tuple[float, int]] = {}
    for rule in RULES:
        answer = answers[queries[rule.name]]
        assert not isinstance(answer, QueryFailure), answer
        pods = [counts for one in counted_by_slice(answer, rule) for counts in one]
        found[rule.name] = (sum(one.bad for one in pods), sum(one.total for one in pods))
    return found


async def settled(url: str, wanted: dict[str, tuple[float, int]]) -> object:
    """The sums once they are as wanted, or as they are after a while."""
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while True:
        found = await sums(url)
        if found == wanted or datetime.now(UTC) > deadline:
            return found
        await asyncio.sleep(0.2)


async def scraped(url: str, promql: str) -> None:
    """Wait until Prometheus answers the question with one series at least."""
    async with asyncio.timeout(20), PrometheusReader(PrometheusServer(url)) as reader:
        while True:
            query = Query("scraped", promql, datetime.now(UTC))
            if (await reader.fetch([query]))[query]:
                return
            await asyncio.sleep(0.1)


async def test_labels_of_new_and_old_cohorts_are_counted_and_none_twice(tmp_path: Path) -> None:
    stable, canary = labelled(STABLE), labelled(CANARY)
    for metrics in (stable, canary):
        metrics.observe(200, 0.01)
    add(stable, 0, right=500, wrong=500)  # before anybody looked
    pod = f"{DEPLOYMENT}-{STABLE}-y"
    with (
        exported(stable) as its_port,
        exported(canary) as other_port,
        scraping(tmp_path, {pod: its_port, f"{DEPLOYMENT}-{CANARY}-x": other_port}) as url,
    ):
        await scraped(url, f'serinus_requests_total{{pod="{pod}"}} offset 1s')
        seen: Counter[str] = Counter()
        for cohort in (100, 200, 300):
            stable.forget_cohorts_before(cohort - 100)  # what was counted of them is known
            add(stable, cohort, right=8, wrong=2)
            add(stable, cohort - 100, right=1, wrong=0)
            add(stable, cohort, right=4, wrong=0, exposed=True)
            add(canary, cohort, right=0, wrong=50)
            seen.update(bad=2, total=15)
            wanted = {
                "wrong": (seen["bad"], seen["total"]),
                "brier": (seen["bad"] / 2, seen["total"]),
                "missed": (seen["bad"], seen["total"]),
            }
            assert await settled(url, wanted) == wanted

        cohorts, stable.cohorts = stable.cohorts, {(STABLE, 0): BROKEN}
        await scraped(url, f'up{{pod="{pod}"}} == 0')
        stable.cohorts = cohorts
        await scraped(url, f'serinus_requests_total{{pod="{pod}"}}')

        assert await settled(url, wanted) == wanted
