"""What a server counts of labels is what the queries of the operator find."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serinus.analysis.cells import Arm, Rejected
from serinus.analysis.counters import counter_series, pod_increments
from serinus.analysis.promql import rate_query
from serinus.analysis.rounds import Round
from serinus.analysis.samples import Query
from serinus.analysis.spec import AgainstMaximum, RateRule
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts
from serinus_runtime.artifact.packaging import Packaged
from tests.support.canary_world import CONTEXT, START
from tests.support.flight_requests import ROW
from tests.support.model_servers import REVISION, Client
from tests.support.recorded_counters import RecordedCounters, moment
from tests.support.recorded_counters import labels as series

WORKLOAD = f"flight-delay-{REVISION}"
HERE = replace(CONTEXT, deployment="flight-delay", canary_revision=REVISION, workloads=(WORKLOAD,))
SETTINGS = {
    "FEEDBACK_WRONG_BEYOND": "30.0",
    "FEEDBACK_SCORES": '[{"score":"absoluteError","bound":"60"},{"score":"logLoss","bound":"5"}]',
}
WRONG = RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, (AgainstMaximum(0.1),))
LOSS = replace(WRONG, template=MetricTemplate.PREDICTION_LOSS)


def scraped(client: Client, at: int, recorded: RecordedCounters) -> None:
    text = client.get("/metrics").text
    pod = {"pod": f"{WORKLOAD}-x7k2p"}
    recorded.scrape(
        START + at,
        {
            series(sample.name, **pod, **sample.labels): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        },
    )


def counted(recorded: RecordedCounters, rule: RateRule) -> Counts:
    query = Query(rule.name, rate_query(rule, HERE, range_ms=60_000), moment(START + 10))
    (outcome,) = pod_increments(
        counter_series(recorded.answer(query), rule, HERE, first_cohort_seconds=0),
        [Round(start_ms=START * 1000, end_ms=(START + 10) * 1000)],
        lookback_ms=50_000,
        pods_started_ms={},
    )
    assert not isinstance(outcome, Rejected), outcome
    (counts,) = (one for cell, one in outcome.items() if cell.arm is Arm.CANARY and one.total)
    return counts


def with_labels_between(
    client: Client, labels_of: Callable[[list[Any]], list[Any]]
) -> RecordedCounters:
    """Scraped before and after labels are sent for the values that were answered."""
    recorded = RecordedCounters()
    told = [client.post("/predict", {"rows": [ROW] * 4}).json() for _ in range(2)]
    scraped(client, 0, recorded)
    for one in told:
        answer = client.post(
            "/feedback",
            {"id": one["id"], "labels": labels_of([item["value"] for item in one["predictions"]])},
        )
        assert answer.json()["counted"] == 4
    scraped(client, 10, recorded)
    return recorded


def test_labels_of_values(client_of: Callable[..., Client], regression: Packaged) -> None:
    def off_by(answers: list[Any]) -> list[Any]:
        return [answer + error for answer, error in zip(answers, (0, -15, 45, 600), strict=True)]

    recorded = with_labels_between(client_of(regression, **SETTINGS), off_by)

    assert counted(recorded, replace(WRONG, bound="30")) == Counts(4, 8)
    off = counted(recorded, replace(LOSS, score="absoluteError", bound="60"))
    assert off == Counts(pytest.approx(2 * (0.25 + 0.75 + 1)), 8)


def test_labels_of_classes(client_of: Callable[..., Client], two_classes: Packaged) -> None:
    recorded = with_labels_between(client_of(two_classes, **SETTINGS), list)

    assert counted(recorded, WRONG) == Counts(0, 8)
    assert 0 < counted(recorded, replace(LOSS, score="brier")).bad < 8 * 0.25
    assert 0 < counted(recorded, replace(LOSS, score="logLoss", bound="5")).bad < 8 * 0.14
