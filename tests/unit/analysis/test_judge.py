"""Which word stands for all metrics: one row for each pair whose order matters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from serinus.analysis.judge import judged
from serinus.analysis.scalar import ScalarState
from serinus.analysis.spec import RateRule, ScalarRule
from serinus.analysis.state import RateState
from serinus.api.verdicts import Counts, Overall, Verdict
from tests.support.canary_world import CONTEXT, START, errors, rules
from tests.support.recorded_counters import moment
from tests.support.rollout_rounds import new_state

NOW = moment(START + 600)
CROSSED = math.log(100)
SHOWN = math.log(20)


def state(harm: float = 0, safe: float = 0, *, total: int = 500, seen: float = 599) -> RateState:
    """A state after 10 minutes."""
    blank = new_state(0.01, 5000, 1)
    (bets,) = blank.bets
    seen_ms = round((START + seen) * 1000)
    return replace(
        blank,
        bets=(
            replace(
                bets,
                harm=replace(bets.harm, log_evidence=harm, max_log_evidence=harm),
                safe=replace(bets.safe, log_evidence=safe, max_log_evidence=safe),
            ),
        ),
        canary=Counts(5, total),
        stable=Counts(5, 500),
        canary_seen_ms=seen_ms,
        stable_seen_ms=seen_ms,
        total_harm=harm,
    )


QUEUE = ScalarRule("queue", "q", maximum=1)
MEASURED_AT = round((START + 540) * 1000)
FINE = ScalarState(
    MEASURED_AT, measurements=1, value=1, last=Verdict.SUCCESSFUL, numbered_at_ms=MEASURED_AT
)
OVER = replace(FINE, failures=1, value=2, last=Verdict.FAILED)


@dataclass
class Case:
    says: str
    then: Overall
    rates: Mapping[str, RateState] = field(default_factory=lambda: {"errors": state(safe=SHOWN)})
    scalars: Mapping[str, ScalarState] = field(default_factory=lambda: {"queue": FINE})
    problems: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[RateRule | ScalarRule, ...] = (errors(), QUEUE)
    behind: tuple[str, ...] = ()


CASES = [
    Case("every gate is fine", Overall.SAFE),
    Case("harm", Overall.HARM, rates={"errors": state(CROSSED)}),
    Case(
        "harm before a limit",
        Overall.HARM,
        rates={"errors": state(CROSSED)},
        scalars={"queue": OVER},
    ),
    Case(
        "harm before being unable to measure",
        Overall.HARM,
        rates={"errors": state(CROSSED)},
        problems={"errors": "away"},
    ),
    Case("a limit", Overall.LIMIT_EXCEEDED, scalars={"queue": OVER}),
    Case(
        "a limit before being unable to measure another",
        Overall.LIMIT_EXCEEDED,
        scalars={"queue": OVER},
        problems={"errors": "away"},
    ),
    Case("unable to measure before safe", Overall.ERROR, problems={"errors": "away"}),
    Case(
        "unable to measure what only alarms",
        Overall.SAFE,
        metrics=(errors(), errors(name="slice", gate=False), QUEUE),
        problems={"slice": "away"},
    ),
    Case(
        "unable to measure before no data",
        Overall.ERROR,
        rates={"errors": state(safe=SHOWN, seen=10)},
        problems={"queue": "away"},
    ),
    Case("no data before safe", Overall.NO_DATA, rates={"errors": state(safe=SHOWN, seen=10)}),
    Case(
        "newer samples that weren't read yet, before no data",
        Overall.BEHIND,
        rates={"errors": state(safe=SHOWN, seen=10)},
        behind=("errors",),
    ),
    Case("newer samples that weren't read yet, before safe", Overall.BEHIND, behind=("errors",)),
    Case(
        "harm before newer samples",
        Overall.HARM,
        rates={"errors": state(CROSSED)},
        behind=("errors",),
    ),
    Case(
        "unable to measure before newer samples",
        Overall.ERROR,
        problems={"queue": "away"},
        behind=("errors",),
    ),
    Case(
        "newer samples of what only alarms",
        Overall.SAFE,
        metrics=(errors(), errors(name="slice", gate=False), QUEUE),
        behind=("slice",),
    ),
    Case("a gate that isn't shown", Overall.NO_HARM, rates={"errors": state()}),
    Case("a scalar that wasn't measured", Overall.NOT_ENOUGH, scalars={}),
    Case("only a scalar, which is fine", Overall.SAFE, metrics=(QUEUE,)),
    Case("only a scalar, not measured yet", Overall.NOT_ENOUGH, metrics=(QUEUE,), scalars={}),
    Case(
        "only a scalar, outside its limits as often as tolerated",
        Overall.NO_HARM,
        metrics=(replace(QUEUE, failure_limit=1),),
        scalars={"queue": OVER},
    ),
    Case(
        "only a scalar, and the provider is away",
        Overall.ERROR,
        metrics=(QUEUE,),
        problems={"queue": "away"},
    ),
    Case(
        "a scalar that only alarms and isn't measured",
        Overall.SAFE,
        metrics=(errors(), replace(QUEUE, gate=False)),
        scalars={},
    ),
    Case(
        "a limit of what only alarms",
        Overall.SAFE,
        metrics=(errors(), replace(QUEUE, gate=False)),
        scalars={"queue": OVER},
    ),
    Case(
        "harm in what only alarms",
        Overall.SAFE,
        metrics=(errors(), errors(name="slice", gate=False), QUEUE),
        rates={"errors": state(safe=SHOWN), "slice": state(CROSSED)},
    ),
    Case(
        "harm in what only alarms, and nothing gates",
        Overall.NO_METRICS,
        metrics=(errors(gate=False),),
        rates={"errors": state(CROSSED)},
    ),
    Case(
        "shown by too few requests",
        Overall.NOT_ENOUGH,
        rates={"errors": state(safe=SHOWN, total=49)},
    ),
    Case("never measured", Overall.NOT_ENOUGH, rates={}),
    Case("no metric", Overall.NO_METRICS, metrics=()),
    Case(
        "no metric that gates",
        Overall.NO_METRICS,
        metrics=(errors(gate=False), replace(QUEUE, dry_run=True)),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_overall(case: Case) -> None:
    names = {metric.name for metric in case.metrics}
    judgement = judged(
        rules(*case.metrics) if case.metrics else replace(rules(), metrics=()),
        CONTEXT,
        {name: one for name, one in case.rates.items() if name in names},
        case.scalars,
        case.problems,
        behind=case.behind,
        now=NOW,
    )

    assert judgement.overall is case.then, judgement.sentence
    assert judgement.sentence


def test_harm_that_only_the_sum_shows_is_put_down_to_the_strongest() -> None:
    metrics = tuple(errors(name=name) for name in ("a", "b", "c"))
    rates = {
        name: replace(state(harm), total_harm=CROSSED)
        for name, harm in (("a", 4.9), ("b", 5.0), ("c", 0.0))
    }

    judgement = judged(rules(*metrics), CONTEXT, rates, {}, {}, now=NOW)

    said = {verdict.metric: verdict.verdict for verdict in judgement.verdicts}
    assert said == {"a": Verdict.INCONCLUSIVE, "b": Verdict.FAILED, "c": Verdict.INCONCLUSIVE}
    assert "harm shown together with the other metrics" in judgement.sentence


def test_a_long_problem_is_cut() -> None:
    judgement = judged(rules(), CONTEXT, {}, {}, {"errors": "x" * 5000}, now=NOW)

    assert len(judgement.verdicts[0].sentence) <= 512


def test_what_only_alarms_says_so_with_its_own_evidence() -> None:
    metrics = (errors(), errors(name="slice", gate=False), replace(QUEUE, gate=False))
    rates = {"errors": state(safe=SHOWN), "slice": state(1.5 * CROSSED)}

    judgement = judged(rules(*metrics), CONTEXT, rates, {"queue": OVER}, {}, now=NOW)

    _, part, queue = judgement.verdicts
    assert (part.alarms, queue.alarms) == (True, True)
    assert part.evidence_ratio == 1.5
    assert part.sentence == (
        "slice: canary 5 of 500 bad, stable 5 of 500; harm shown (evidence 1.5 of 1) (only alarms)"
    )
    assert judgement.evidence_ratio == 0
    assert "slice" not in judgement.sentence


def test_a_dry_run_doesn_t_even_alarm() -> None:
    trial = errors(name="trial", gate=False, dry_run=True)
    metrics = (errors(), replace(QUEUE, dry_run=True), trial)
    rates = {"errors": state(), "trial": state(1.5 * CROSSED)}

    judgement = judged(rules(*metrics), CONTEXT, rates, {"queue": OVER}, {}, now=NOW)

    _, queue, counted = judgement.verdicts
    assert (queue.verdict, counted.verdict) == (Verdict.FAILED, Verdict.FAILED)
    assert (queue.alarms, counted.alarms) == (False, False)
    assert counted.sentence.endswith("(dry run)")


def test_a_scalar_that_is_left_to_a_person_holds_up_every_step() -> None:
    doubtful = ScalarState(0, 3, 0, 0, 90.0, Verdict.SUCCESSFUL, "", 0, inconclusive=1)

    judgement = judged(
        rules(errors(), QUEUE),
        CONTEXT,
        {"errors": state(safe=SHOWN)},
        {"queue": doubtful},
        {},
        now=NOW,
    )

    assert judgement.overall is Overall.NOT_ENOUGH
    assert "a person's `promote` or `abort`, because queue: 90" in judgement.sentence


@pytest.mark.parametrize(
    ("rates", "scalars", "sentence"),
    [
        (
            {"errors": replace(state(total=30), canary=Counts(0, 30))},
            {"queue": FINE},
            "too little was measured to judge; about 278 more canary requests needed",
        ),
        (
            {"errors": state(safe=SHOWN)},
            {},
            "too little was measured to judge; a measurement of `queue` within its limits needed",
        ),
        (
            {},
            {},
            (
                "too little was measured to judge; more canary requests and a measurement of "
                "`queue` within its limits needed"
            ),
        ),
    ],
)
def test_what_is_missing_is_told(
    rates: dict[str, RateState], scalars: dict[str, ScalarState], sentence: str
) -> None:
    judgement = judged(rules(errors(), QUEUE), CONTEXT, rates, scalars, {}, now=NOW)

    assert judgement.sentence == sentence


def test_labels_come_for_a_part_of_the_requests_and_are_not_asked_for_as_many() -> None:
    metrics = (errors(), errors(name="wrong"))
    context = replace(CONTEXT, min_samples=50, samples_before=5000)
    labels = state(safe=SHOWN, total=60)

    few, enough = (
        judged(
            rules(*metrics),
            context,
            {"errors": state(safe=SHOWN, total=total), "wrong": labels},
            {},
            {},
            now=NOW,
        )
        for total in (5049, 5050)
    )

    assert (few.overall, few.requests_needed) == (Overall.NOT_ENOUGH, 1)
    assert enough.overall is Overall.SAFE
