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
FINE = ScalarState(0, measurements=1, value=1, last=Verdict.SUCCESSFUL)
OVER = ScalarState(0, measurements=1, failures=1, value=2, last=Verdict.FAILED)


@dataclass
class Case:
    says: str
    then: Overall
    rates: Mapping[str, RateState] = field(default_factory=lambda: {"errors": state(safe=SHOWN)})
    scalars: Mapping[str, ScalarState] = field(default_factory=lambda: {"queue": FINE})
    problems: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[RateRule | ScalarRule, ...] = (errors(), QUEUE)


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
    Case("a gate that isn't shown", Overall.NO_HARM, rates={"errors": state()}),
    Case("a scalar that wasn't measured", Overall.NO_HARM, scalars={}),
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
