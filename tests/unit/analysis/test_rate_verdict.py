"""One rate metric: verdict, limits as absolute rates, and what to know before relying on it."""

from dataclasses import replace

import pytest

from serinus.analysis.rate_verdict import rate_verdict, silent_arms
from serinus.analysis.sentences import rate_warning
from serinus.analysis.spec import AgainstStable, Boundary, RateRule
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts, RateLimits, Verdict
from tests.support.canary_world import CONTEXT, START, at_most, errors, rules
from tests.support.recorded_counters import moment
from tests.support.rollout_rounds import new_state

NOW = moment(START + 600)
AGAINST_STABLE = AgainstStable(Boundary(1.25, 0.001), Boundary(2, 0.01))
WRONG = RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, errors().comparisons)


@pytest.mark.parametrize(
    ("rule", "limits"),
    [
        (errors(), (0.02, 0.026, 0.05)),
        (errors(at_most(0.03)), (None, 0.03, 0.03)),
        (errors(AGAINST_STABLE, at_most(0.03)), (0.02, 0.026, 0.03)),
        (errors(AgainstStable(Boundary(1, 0.5), Boundary(99, 0))), (0.02, 0.52, 1.0)),
    ],
    ids=["stable", "a maximum", "the stricter of two", "never above all"],
)
def test_the_limits_are_absolute_rates_beside_stable_as_it_is(
    rule: RateRule, limits: tuple[float | None, float, float]
) -> None:
    state = replace(new_state(0.01, 1000, 3), stable=Counts(30, 1000))
    state = replace(state, bets=state.bets * len(rule.comparisons))

    said = rate_verdict(
        rule, rules(rule), CONTEXT, state, None, harmful=False, behind=False, now=NOW
    )

    assert said.limits is not None
    found = (said.limits.stable_rate, said.limits.tolerated_rate, said.limits.accepted_rate)
    assert found == pytest.approx(limits)
    assert (said.limits.variance_inflation, said.limits.inflation_source) == (3, "given")


def test_a_metric_that_was_never_measured_has_no_limits() -> None:
    said = rate_verdict(
        errors(), rules(), CONTEXT, None, None, harmful=False, behind=False, now=NOW
    )

    assert (said.verdict, said.limits, said.warning) == (Verdict.INCONCLUSIVE, None, "")


def test_before_the_provider_answered_nobody_was_silent() -> None:
    old = replace(new_state(0.01, 1000, 1), canary=Counts(0, 99), canary_seen_ms=1)
    old = replace(old, stable_seen_ms=1)
    lately = replace(CONTEXT, answers_since=NOW - CONTEXT.no_data_timeout)

    said = [
        rate_verdict(
            errors(), rules(), context, old, None, harmful=False, behind=False, now=NOW
        ).verdict
        for context in (CONTEXT, lately)
    ]

    assert said == [Verdict.NO_DATA, Verdict.INCONCLUSIVE]


def test_what_wasn_t_read_yet_is_no_silence_and_no_safety() -> None:
    long_ago = replace(new_state(0.01, 1000, 1), canary=Counts(0, 99), canary_seen_ms=1)

    said = [
        rate_verdict(
            errors(), rules(), CONTEXT, long_ago, None, harmful=False, behind=behind, now=NOW
        ).verdict
        for behind in (False, True)
    ]

    assert said == [Verdict.NO_DATA, Verdict.INCONCLUSIVE]


@pytest.mark.parametrize(
    ("inflation", "constant", "warning"),
    [
        (1, None, ""),
        (1, 0.21, ""),
        (
            1,
            0.2,
            (
                "a version up to 0.2 wrong is accepted, and the best constant answer has 0.2: "
                "it would pass. Narrow the margin"
            ),
        ),
        (
            30,
            None,
            (
                "bad events come 30 times as bunched as independent ones, so a decision takes "
                "30 times as many requests"
            ),
        ),
    ],
)
def test_warnings(inflation: float, constant: float | None, warning: str) -> None:
    limits = RateLimits(0.17, 0.18, 0.2, inflation, "measured")

    assert rate_warning(WRONG, limits, constant, labels_wait=True) == warning


def test_labels_that_count_as_they_come_are_warned_of_and_requests_are_not() -> None:
    limits = RateLimits(0.17, 0.18, 0.2, 1, "measured")

    assert rate_warning(WRONG, limits, None, labels_wait=False).startswith(
        "labels count as they come: where one outcome is known sooner, a worse version can pass."
    )
    assert rate_warning(errors(), limits, None, labels_wait=False) == ""


def test_an_arm_is_silent_after_five_minutes() -> None:
    state = replace(
        new_state(0.01, 1000, 1),
        canary_seen_ms=(START + 299) * 1000,
        stable_seen_ms=(START + 301) * 1000,
    )

    assert silent_arms(errors(), CONTEXT, state, NOW) == ("canary",)
    assert silent_arms(errors(at_most(0.1)), CONTEXT, state, NOW) == ("canary",)
    assert silent_arms(errors(), CONTEXT, state, moment(START + 602)) == ("canary", "stable")
