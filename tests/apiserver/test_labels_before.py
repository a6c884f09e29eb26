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
from serinus_runtime.server.metrics import Metrics
from tests.apiserver.test_metric_library import CANARY, DEPLOYMENT, STABLE, exported
from tests.support.prometheus_process import NAMESPACE, scraping

BRIER = LabelScore(ScoreName.BRIER)
MAXIMUM = (AgainstMaximum(0.1),)
RULES = (
    RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, MAXIMUM),
    RateRule("brier", MetricTemplate.PREDICTION_LOSS, MAXIMUM, score="brier"),
    RateRule("missed", MetricTemplate.FALSE_NEGATIVES, MAXIMUM),
)


def labelled(revision: str) -> Metrics:
    rules = LabelRules(scores=(BRIER,))
    return Metrics(
        deployment=DEPLOYMENT, revision=revision, model="m", digest="sha256:0", label_rules=rules
    )


def add(metrics: Metrics, cohort: int, *, right: int, wrong: int) -> None:
    cells = metrics.cohort_cells(metrics.revision, cohort)
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


async def test_labels_of_new_and_old_cohorts_are_counted_and_none_twice(tmp_path: Path) -> None:
    stable, canary = labelled(STABLE), labelled(CANARY)
    with (
        exported(stable) as its_port,
        exported(canary) as other_port,
        scraping(
            tmp_path,
            {f"{DEPLOYMENT}-{STABLE}-y": its_port, f"{DEPLOYMENT}-{CANARY}-x": other_port},
        ) as url,
    ):
        seen: Counter[str] = Counter()
        for cohort in (100, 200, 300):
            stable.forget_cohorts_before(cohort - 100)  # what was counted of them is known
            add(stable, cohort, right=8, wrong=2)
            add(stable, cohort - 100, right=1, wrong=0)
            add(canary, cohort, right=0, wrong=50)
            seen.update(bad=2, total=11)
            wanted = {
                "wrong": (seen["bad"], seen["total"]),
                "brier": (seen["bad"] / 2, seen["total"]),
                "missed": (seen["bad"], seen["total"]),
            }
            assert await settled(url, wanted) == wanted
