"""Samples to exact increments: one row for each way in which a counter can mislead."""

from dataclasses import dataclass, replace

import pytest

from serinus.analysis.cells import Arm, Rejected, by_arm
from serinus.analysis.counters import counter_series, pod_increments
from serinus.analysis.rounds import Round
from serinus.analysis.samples import Contradiction, RangeVector
from serinus.analysis.spec import DEFAULT_COMPARISON, RateRule
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts
from tests.support.canary_world import CANARY, CONTEXT, STABLE, START, errors

ROUND = Round(start_ms=START * 1000, end_ms=(START + 10) * 1000)
RANGE = replace(errors(), template=MetricTemplate.OUT_OF_RANGE)
SLOW = RateRule(
    "slow",
    MetricTemplate.SLOW_REQUESTS,
    (DEFAULT_COMPARISON[MetricTemplate.SLOW_REQUESTS],),
    latency_seconds=0.25,
)
WRONG = RateRule(
    "wrong",
    MetricTemplate.WRONG_PREDICTIONS,
    (DEFAULT_COMPARISON[MetricTemplate.WRONG_PREDICTIONS],),
)
BRIER = RateRule(
    "brier",
    MetricTemplate.PREDICTION_LOSS,
    (DEFAULT_COMPARISON[MetricTemplate.PREDICTION_LOSS],),
    score="brier",
)


def series(name: str, *samples: tuple[float, float], pod: str = "c-1", **own: str) -> RangeVector:
    own = {"revision": CANARY, "pod": pod, "__name__": name} | own
    return RangeVector(own, tuple((START + at, value) for at, value in samples))


def requests(code: str, *samples: tuple[float, float], **own: str) -> RangeVector:
    return series("serinus_requests_total", *samples, code=code, **own)


def seen(*samples: tuple[float, float], pod: str = "c-1") -> RangeVector:
    """A pod that is scraped and doesn't count anything."""
    return requests("200", *samples, pod=pod)


ERRORS = errors()
COHORT, OLD_COHORT = str(START), str(START - 300)


@dataclass
class Case:
    says: str
    given: list[RangeVector]
    then: Counts | Contradiction
    rule: RateRule = ERRORS
    started: dict[str, float] | None = None
    arm: Arm = Arm.CANARY


def of_two(*samples: tuple[float, float], **labels: str) -> RangeVector:
    return series("serinus_labels_of_two_total", *samples, **labels)


def of_labels(count: float, **labels: str) -> RangeVector:
    return series("serinus_labels_total", (0, 0), (10, count), cohort=COHORT, **labels)


def of_loss(loss: float, **labels: str) -> RangeVector:
    return series("serinus_label_loss_total", (0, 0), (10, loss), cohort=COHORT, **labels)


UNLIKE = replace(BRIER, name="unlike", score="absoluteError", bound="60")
HERE = replace(CONTEXT, incomparable={"unlike": "stable counts no `absoluteError`"})
CASES = [
    Case(
        "the sample before the round is the baseline",
        [requests("200", (-10, 100), (0, 110), (5, 115), (10, 125))],
        Counts(0, 15),
    ),
    Case(
        "5xx and the server's own 400 are bad, 413 and 404 are not",
        [
            requests(code, (0, 0), (10, 1))
            for code in ("200", "400", "404", "413", "500", "503", "1500")
        ],
        Counts(3, 7),
    ),
    Case(
        "after a restart the sample itself is the increment",
        [requests("200", (0, 100), (4, 130), (8, 7), (10, 9))],
        Counts(0, 30 + 7 + 2),
    ),
    Case(
        "a restart is the pod's, also for counters that don't show it",
        [requests("200", (0, 100), (8, 7)), requests("500", (0, 1), (8, 3))],
        Counts(3, 10),
    ),
    Case(
        "a code that appears on a scraped pod began at 0",
        [requests("200", (0, 10), (10, 20)), requests("500", (10, 4))],
        Counts(4, 14),
    ),
    Case(
        "a code that appears within the round on a pod that appeared before it began at 0",
        [requests("200", (4, 10), (10, 20)), requests("500", (10, 4))],
        Counts(4, 10 + 4),
    ),
    Case(
        "a pod that started in sight began at 0",
        [requests("200", (4, 10), (10, 20))],
        Counts(0, 20),
        started={"c-1": 1},
    ),
    Case(
        "a pod whose start nobody knows: its first sample is the baseline",
        [requests("200", (4, 10_000), (10, 10_020))],
        Counts(0, 20),
    ),
    Case(
        "a pod that started long ago and was out of sight: its first sample is the baseline",
        [requests("200", (-60, 10), (4, 10_000), (10, 10_020))],
        Counts(0, 20),
        started={"c-1": -3600},
    ),
    Case(
        "no new sample: nothing",
        [requests("200", (-10, 1), (0, 100))],
        Counts(0, 0),
    ),
    Case(
        "samples after the round are the next one's",
        [requests("200", (0, 1), (10, 2), (12, 50))],
        Counts(0, 1),
    ),
    Case(
        "pods and series of a revision are added up",
        [
            requests("200", (0, 0), (10, 5)),
            requests("200", (0, 0), (9, 6), pod="c-2"),
            requests("500", (0, 0), (9, 1), pod="c-2"),
            requests("200", (0, 0), (9, 100), pod="s-1", revision=STABLE),
        ],
        Counts(1, 12),
    ),
    Case(
        "a revision that is neither isn't counted",
        [requests("200", (0, 0), (10, 5)), requests("200", (0, 0), (9, 6), revision="0ld")],
        Counts(0, 5),
    ),
    Case(
        "two replicas of Prometheus: rejected, not added up",
        [
            requests("200", (0, 0), (10, 5), prometheus_replica="a"),
            requests("200", (1, 0), (9, 5), prometheus_replica="b"),
        ],
        Contradiction.DUPLICATE_SERIES,
    ),
    Case(
        "a pod that came back under another address is one pod",
        [
            requests("200", (-10, 5), (0, 9), instance="10.0.0.1:8080"),
            requests("200", (10, 4), instance="10.0.0.2:8080"),
        ],
        Counts(0, 4),
    ),
    Case("half a request", [requests("200", (0, 0), (10, 0.5))], Contradiction.NOT_A_COUNT),
    Case("not a number", [requests("200", (0, 0), (10, float("nan")))], Contradiction.NOT_A_COUNT),
    Case("a negative count", [requests("200", (0, 0), (10, -1))], Contradiction.NOT_A_COUNT),
    Case(
        "slow is what the bucket doesn't hold, however its bound is written",
        [
            series("serinus_request_duration_seconds_count", (0, 10), (10, 110)),
            series("serinus_request_duration_seconds_bucket", (0, 9), (10, 100), le="0.250"),
        ],
        Counts(9, 100),
        rule=SLOW,
    ),
    Case(
        "a bucket that holds more than all",
        [
            series("serinus_request_duration_seconds_count", (0, 10), (10, 11)),
            series("serinus_request_duration_seconds_bucket", (0, 9), (10, 100), le="0.25"),
        ],
        Contradiction.BAD_EXCEEDS_TOTAL,
        rule=SLOW,
    ),
    Case(
        "rows out of range are bad, of all that were predicted",
        [
            series("serinus_predictions_total", (0, 10), (10, 110)),
            series("serinus_predictions_out_of_range_total", (0, 1), (10, 8)),
        ],
        Counts(7, 100),
        rule=RANGE,
    ),
    Case(
        "a server that counts no rows out of range: rejected, not taken for flawless",
        [series("serinus_predictions_total", (0, 10), (10, 110))],
        Contradiction.NO_RANGES,
        rule=RANGE,
    ),
    Case(
        "no bucket at the latency: rejected, not taken for flawless",
        [series("serinus_request_duration_seconds_count", (0, 10), (10, 110))],
        Contradiction.NO_BUCKET,
        rule=SLOW,
    ),
    Case(
        "labels of cohorts since the first count, those before don't",
        [
            seen((0, 0), (10, 0)),
            series("serinus_labels_total", (10, 8), outcome="right", cohort=COHORT),
            series("serinus_labels_total", (10, 2), outcome="wrong", cohort=COHORT),
            series("serinus_labels_total", (0, 5), (10, 99), outcome="wrong", cohort=OLD_COHORT),
        ],
        Counts(2, 10),
        rule=WRONG,
    ),
    Case(
        "a label counts for the revision that answered, on whatever pod it arrived",
        [
            seen((0, 0), (10, 0), pod="s-1"),
            series("serinus_labels_total", (10, 8), outcome="right", cohort=COHORT, pod="s-1"),
        ],
        Counts(0, 8),
        rule=WRONG,
    ),
    Case(
        "a cohort that was dropped and came back doesn't look like a restart",
        [
            seen((0, 50), (10, 60)),
            series("serinus_labels_total", (0, 30), (10, 2), outcome="right", cohort=COHORT),
            series("serinus_labels_total", (0, 40), (10, 43), outcome="wrong", cohort=COHORT),
        ],
        Counts(3, 5),
        rule=WRONG,
    ),
    Case(
        "misses are the wrong ones of the labels of their class, cohort by cohort",
        [
            seen((0, 0), (10, 0)),
            of_two((10, 8), actual="positive", outcome="right", cohort=COHORT),
            of_two((10, 2), actual="positive", outcome="wrong", cohort=COHORT),
            of_two((0, 5), (10, 99), actual="positive", outcome="wrong", cohort=OLD_COHORT),
        ],
        Counts(2, 10),
        rule=replace(WRONG, template=MetricTemplate.FALSE_NEGATIVES),
    ),
    Case(
        "a loss is a fractional part of the labels",
        [
            seen((0, 0), (10, 0)),
            series("serinus_labels_total", (0, 0), (10, 8), outcome="right", cohort=COHORT),
            series("serinus_labels_total", (0, 0), (10, 2), outcome="wrong", cohort=COHORT),
            series("serinus_label_loss_total", (0, 0), (10, 1.75), score="brier", cohort=COHORT),
        ],
        Counts(1.75, 10),
        rule=BRIER,
    ),
    Case(
        "labels of stable that were judged by another bound aren't counted, nor contradict",
        [
            requests("200", (0, 0), (10, 9), pod="s-1", revision=STABLE),
            of_labels(2, outcome="wrong", pod="s-1", revision=STABLE),
        ],
        Counts(0, 0),
        rule=UNLIKE,
        arm=Arm.STABLE,
    ),
    Case(
        "those of the canary beside it are",
        [
            seen((0, 0), (10, 0)),
            of_labels(2, outcome="wrong", pod="s-1", revision=STABLE),
            of_labels(8, outcome="right"),
            of_loss(1.75, score="absoluteError", bound="60"),
        ],
        Counts(1.75, 8),
        rule=UNLIKE,
    ),
    Case(
        "labels without a loss: rejected, not taken for flawless",
        [
            seen((0, 0), (10, 0)),
            series("serinus_labels_total", (0, 0), (10, 8), outcome="right", cohort=COHORT),
        ],
        Contradiction.NO_LOSS,
        rule=BRIER,
    ),
    Case(
        "a loss above its bound",
        [
            seen((0, 0), (10, 0)),
            series("serinus_labels_total", (0, 0), (10, 2), outcome="wrong", cohort=COHORT),
            series("serinus_label_loss_total", (0, 0), (10, 2.5), score="brier", cohort=COHORT),
        ],
        Contradiction.BAD_EXCEEDS_TOTAL,
        rule=BRIER,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_increments_of_one_round(case: Case) -> None:
    found = counter_series(
        case.given, case.rule, HERE, first_cohort_seconds=CONTEXT.first_cohort_at.timestamp()
    )

    (outcome,) = pod_increments(
        found,
        [ROUND],
        lookback_ms=50_000,
        pods_started_ms={
            pod: round((START + at) * 1000) for pod, at in (case.started or {}).items()
        },
    )

    if isinstance(case.then, Contradiction):
        assert isinstance(outcome, Rejected)
        assert outcome.why is case.then
    else:
        assert not isinstance(outcome, Rejected), outcome
        assert by_arm(outcome, case.arm) == case.then


def test_a_damaged_sample_spoils_its_round_only() -> None:
    vectors = [requests("200", (0, 10), (10, float("inf")), (20, 30))]
    rounds = [ROUND, Round(ROUND.end_ms, ROUND.end_ms + 10_000)]

    damaged, following = pod_increments(
        counter_series(vectors, errors(), CONTEXT, first_cohort_seconds=0),
        rounds,
        lookback_ms=50_000,
        pods_started_ms={},
    )

    assert damaged == Rejected(Contradiction.NOT_A_COUNT, "c-1")
    assert not isinstance(following, Rejected)
    assert by_arm(following, Arm.CANARY) == Counts(0, 20)
