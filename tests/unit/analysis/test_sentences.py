"""What people read, word for word."""

from dataclasses import replace

import pytest

from serinus.analysis.scalar import ScalarState
from serinus.analysis.sentences import overall_sentence, rate_sentence, scalar_sentence
from serinus.analysis.spec import RateRule, ScalarRule
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts, MetricVerdict, Overall, Verdict
from tests.support.canary_world import at_most, errors

CANARY, STABLE = Counts(40, 500), Counts(9, 9500)
BRIER = RateRule("brier", MetricTemplate.PREDICTION_LOSS, errors().comparisons, score="brier")


def said(
    verdict: Verdict, harm: float = 0, safe: float = 0, needed: int | None = None
) -> MetricVerdict:
    return MetricVerdict(
        "errors",
        verdict,
        "",
        canary=CANARY,
        stable=STABLE,
        evidence_ratio=harm,
        safe_evidence_ratio=safe,
        requests_needed=needed,
    )


@pytest.mark.parametrize(
    ("rule", "verdict", "sentence"),
    [
        (
            errors(),
            said(Verdict.FAILED, harm=1.31),
            "errors: canary 40 of 500 bad, stable 9 of 9500; harm shown (evidence 1.3 of 1)",
        ),
        (
            errors(),
            said(Verdict.FAILED, harm=0.87),
            (
                "errors: canary 40 of 500 bad, stable 9 of 9500; "
                "harm shown together with the other metrics (evidence 0.87 of 1 alone)"
            ),
        ),
        (
            errors(at_most(0.05)),
            said(Verdict.SUCCESSFUL, safe=1.2),
            (
                "errors: canary 40 of 500 bad, at most 5 % allowed; "
                "shown to be no worse than the margin (evidence 1.2 of 1)"
            ),
        ),
        (
            errors(),
            said(Verdict.INCONCLUSIVE, harm=0.1, safe=0.52, needed=210),
            (
                "errors: canary 40 of 500 bad, stable 9 of 9500; undecided "
                "(harm 0.10 of 1, safe 0.52 of 1), about 210 more canary requests needed"
            ),
        ),
        (
            BRIER,
            MetricVerdict("brier", Verdict.INCONCLUSIVE, "", canary=Counts(71.26, 500)),
            (
                "brier: canary 71.3 of 500 lost, stable 0 of 0; undecided "
                "(harm 0.00 of 1, safe 0.00 of 1)"
            ),
        ),
        (
            errors(),
            MetricVerdict("errors", Verdict.INCONCLUSIVE, ""),
            "errors: nothing counted of the canary yet; undecided (harm 0.00 of 1, safe 0.00 of 1)",
        ),
    ],
)
def test_rates(rule: RateRule, verdict: MetricVerdict, sentence: str) -> None:
    assert rate_sentence(rule, verdict) == sentence


def test_no_data_says_what_is_missing_or_can_t_be_compared() -> None:
    nothing = MetricVerdict("errors", Verdict.NO_DATA, "", canary=CANARY)
    unlike = "stable counts no `absoluteError`"

    assert rate_sentence(errors(), nothing, silent=("canary", "stable")) == (
        "errors: canary 40 of 500 bad, stable 0 of 0; no new samples of canary and stable (are the "
        "pods scraped?); this is not evidence"
    )
    assert rate_sentence(errors(), nothing, unlike=unlike) == (
        "errors: canary 40 of 500 bad, stable 0 of 0; stable counts no `absoluteError`, so nothing "
        "can be compared; this is not evidence. Release the change of `server.feedback` without "
        "this metric (`dryRun: true`), or `promote` it"
    )


QUEUE = ScalarRule("queue", "q", minimum=1, maximum=100, failure_limit=2, dry_run=True)


@pytest.mark.parametrize(
    ("state", "verdict", "sentence"),
    [
        (ScalarState(), Verdict.INCONCLUSIVE, "queue: not measured yet (dry run)"),
        (
            ScalarState(0, measurements=7, failures=1, value=120.5, last=Verdict.FAILED),
            Verdict.INCONCLUSIVE,
            (
                "queue: 120.5, at least 1, at most 100 allowed; "
                "outside its limits 1 of 7 times, 2 tolerated (dry run)"
            ),
        ),
        (
            ScalarState(
                0, measurements=7, consecutive_errors=5, problem="the query returns nothing"
            ),
            Verdict.NO_DATA,
            "queue: can't be measured: the query returns nothing; this is not evidence (dry run)",
        ),
    ],
)
def test_scalars(state: ScalarState, verdict: Verdict, sentence: str) -> None:
    assert scalar_sentence(QUEUE, state, verdict) == sentence


def test_pods_that_dont_count_yet_are_told_while_nothing_is_decided() -> None:
    cold = {"cold_canary_pods": 3, "cold_stable_pods": 1}

    assert rate_sentence(errors(), replace(said(Verdict.INCONCLUSIVE), **cold)).endswith(
        "; new pods don't count during their `warmup`: 3 of canary and 1 of stable"
    )
    assert "warmup" not in rate_sentence(errors(), replace(said(Verdict.FAILED, harm=1.3), **cold))


def test_a_step_that_waits_for_its_new_pods_says_so() -> None:
    waiting = replace(said(Verdict.INCONCLUSIVE), holds_a_step=True)

    assert overall_sentence(Overall.NOT_ENOUGH, [waiting], None) == (
        "too little was measured to judge; requests that the step's new pods answer after their "
        "`warmup` are needed"
    )
