"""Scenarios of a canary, from samples to the verdict; scrapes every 10 seconds."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from serinus.analysis.advance import AnalysisOutcome, queries
from serinus.analysis.samples import QueryFailure, QueryFailureKind, RangeVector
from serinus.analysis.spec import DEFAULT_COMPARISON, RateRule, ScalarRule
from serinus.analysis.state import InflationSource, decode_state
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts, Overall, Verdict
from tests.support.canary_world import (
    CANARY,
    CONTEXT,
    STABLE,
    START,
    CanaryWorld,
    at_most,
    errors,
    pod_name,
    rules,
)
from tests.support.recorded_counters import labels, moment

AWAY = QueryFailure(QueryFailureKind.UNREACHABLE, "connection refused")
DEFAULT = DEFAULT_COMPARISON[MetricTemplate.ERROR_RATE]


def world(**changes: object) -> CanaryWorld:
    """Two pods that have been scraped once, at the start."""
    new = CanaryWorld(**changes)  # type: ignore[arg-type]
    new.serves("c-1", CANARY, good=1000, bad=7)
    new.serves("s-1", STABLE, good=5000, bad=3)
    new.scrape(0)
    return new


def play(
    canary: CanaryWorld,
    *,
    rounds: int = 1,
    start: int = 0,
    good: int = 100,
    bad: int = 0,
    stable_good: int = 100,
    stable_bad: int = 0,
) -> AnalysisOutcome:
    """Rounds in which both serve; the analysis looks after each."""
    for number in range(start + 1, start + rounds + 1):
        canary.serves("c-1", CANARY, good=good, bad=bad)
        canary.serves("s-1", STABLE, good=stable_good, bad=stable_bad)
        canary.scrape(10 * number)
        outcome = canary.look(10 * number + 1)
    return outcome


def test_harm_is_shown_and_said_with_the_counts() -> None:
    outcome = play(world(), rounds=4, good=90, bad=10, stable_good=199, stable_bad=1)

    assert outcome.overall is Overall.HARM
    assert outcome.evidence_ratio >= 1
    (errors_verdict,) = outcome.verdicts
    assert errors_verdict.verdict is Verdict.FAILED
    assert errors_verdict.canary == Counts(40, 400)
    assert errors_verdict.stable == Counts(4, 800)
    assert outcome.sentence == (
        "errors: canary 40 of 400 bad, stable 4 of 800; "
        f"harm shown (evidence {errors_verdict.evidence_ratio:.1f} of 1)"
    )


def test_a_dead_canary_takes_more_than_one_round() -> None:
    canary = world()

    assert play(canary, good=0, bad=1000).overall is not Overall.HARM
    assert play(canary, rounds=2, start=1, good=0, bad=1000).overall is Overall.HARM


def test_no_error_on_either_side_is_promoted_after_440_requests() -> None:
    canary = world()
    requests = 0
    outcome = canary.look(1)
    while outcome.overall is not Overall.SAFE and requests < 1000:
        outcome = play(canary, start=requests // 20, good=20, stable_good=20)
        requests += 20

    assert requests == 440
    assert outcome.verdicts[0].verdict is Verdict.SUCCESSFUL
    assert outcome.requests_needed == 0
    assert outcome.sentence == "every gating metric is shown to be no worse than its margin"


def test_on_the_way_it_says_how_many_requests_are_missing() -> None:
    outcome = play(world(), rounds=2, good=100, stable_good=100)

    assert outcome.overall is Overall.NO_HARM
    assert outcome.requests_needed == pytest.approx(240, abs=60)
    assert outcome.sentence == (
        f"no harm shown; about {outcome.requests_needed} more canary requests needed "
        "to show that it is safe"
    )


def test_too_few_requests() -> None:
    outcome = play(world(), good=49, stable_good=1000)

    assert outcome.overall is Overall.NOT_ENOUGH


def test_a_version_at_the_margin_isnt_safe_and_gets_no_promise() -> None:
    outcome = play(world(), rounds=30, good=93, bad=7, stable_good=97, stable_bad=3)

    assert outcome.overall in (Overall.NO_HARM, Overall.HARM)
    assert outcome.requests_needed is None


def test_what_was_before_the_start_is_no_evidence() -> None:
    canary = CanaryWorld()
    canary.serves("c-1", CANARY, bad=50_000)
    canary.serves("s-1", STABLE, good=5000)
    canary.scrape(-5)
    canary.serves("c-1", CANARY, bad=50_000)
    canary.scrape(0)
    outcome = play(canary, rounds=1)

    assert outcome.verdicts[0].canary.bad == 0


def test_an_outage_of_both_is_no_harm() -> None:
    canary = world()
    play(canary, rounds=10, good=20, stable_good=380)
    outcome = play(canary, rounds=20, start=10, good=10, bad=10, stable_good=190, stable_bad=190)

    assert outcome.overall is not Overall.HARM
    assert outcome.evidence_ratio < 0.5


def test_a_maximum_guards_where_stable_is_bad_too() -> None:
    canary = world(rules=rules(errors(at_most(0.05), name="errors-ever")))
    outcome = play(canary, rounds=5, good=50, bad=50, stable_good=50, stable_bad=50)

    assert outcome.overall is Overall.HARM
    assert ", at most 5 % allowed; harm shown" in outcome.sentence


def test_one_metric_against_stable_and_a_maximum() -> None:
    both = rules(errors(DEFAULT, at_most(0.05)))
    as_bad = play(world(rules=both), rounds=8, good=50, bad=50, stable_good=50, stable_bad=50)
    harmless = play(world(rules=both), rounds=10, good=100, stable_good=100)
    worse_but_below_the_maximum = play(
        world(rules=both), rounds=30, good=970, bad=30, stable_good=1000
    )

    assert as_bad.overall is Overall.HARM
    assert harmless.overall is Overall.SAFE
    assert worse_but_below_the_maximum.overall is Overall.HARM


def test_the_warm_up_counts_against_a_maximum_only() -> None:
    warm = replace(CONTEXT, warmup=timedelta(seconds=60))
    compared = play(world(context=warm), rounds=6, good=0, bad=100)
    bounded = play(world(context=warm, rules=rules(errors(at_most(0.05)))), rounds=6, bad=100)
    after = world(context=warm)
    play(after, rounds=6, good=0, bad=100)

    assert compared.overall is Overall.NOT_ENOUGH
    assert compared.verdicts[0].canary == Counts()
    assert bounded.overall is Overall.HARM
    assert play(after, rounds=2, start=6, good=0, bad=100).verdicts[0].canary == Counts(200, 200)


@pytest.mark.parametrize(("beside", "counted"), [(STABLE, 6), (None, 0)])
def test_how_slow_a_version_is_that_has_just_got_all_requests_counts_after_the_warm_up(
    beside: str | None, counted: int
) -> None:
    slow = RateRule("slow", MetricTemplate.SLOW_REQUESTS, (at_most(0.05),), latency_seconds=0.25)
    context = replace(CONTEXT, stable_revision=beside, warmup=timedelta(seconds=60))
    canary = world(context=context, rules=rules(slow))

    totals = []
    for number in range(12):
        own = {"pod": pod_name("c-1", CANARY), "revision": CANARY}
        name = "serinus_request_duration_seconds"
        canary.count("c-1", labels(f"{name}_count", **own), 1)
        canary.count("c-1", labels(f"{name}_bucket", le="0.25", **own), 1)
        canary.scrape(10 * number)
        totals.append(canary.look(10 * number + 1).verdicts[0].canary.total)

    assert totals[6] == counted
    assert totals[11] == counted + 5


def test_no_answer_is_no_evidence_and_loses_nothing() -> None:
    canary, undisturbed = world(), world()
    play(canary, rounds=1)
    for number in range(2, 6):
        canary.serves("c-1", CANARY, good=100)
        canary.serves("s-1", STABLE, good=100)
        canary.scrape(10 * number)
        blind = canary.look(10 * number + 1, failing={"errors": AWAY})
    outcome = play(canary, start=5)

    assert blind.overall is Overall.ERROR
    assert blind.verdicts[0].canary == Counts(0, 100)
    assert blind.sentence == (
        "errors: canary 0 of 100 bad, stable 0 of 100; "
        "can't be measured: Unreachable: connection refused; this is not evidence"
    )
    assert outcome.states == play(undisturbed, rounds=6).states


def test_away_from_the_beginning() -> None:
    outcome = world().look(5, failing={"errors": AWAY})

    assert outcome.overall is Overall.ERROR
    assert outcome.states == {}


def test_harm_that_was_shown_outlives_the_provider() -> None:
    canary = world()
    play(canary, rounds=4, good=0, bad=100)

    assert canary.look(45, failing={"errors": AWAY}).overall is Overall.HARM


@pytest.mark.parametrize("silent", ["c-1", "s-1"])
def test_silence_of_one_arm_is_no_data_after_the_timeout(silent: str) -> None:
    canary = world()
    play(canary, rounds=10)
    other = {"c-1": "s-1", "s-1": "c-1"}[silent]
    for number in range(11, 45):
        canary.scrape(10 * number, other)
        outcome = canary.look(10 * number + 1)
        expected = Overall.NO_DATA if number >= 40 else Overall.SAFE
        assert outcome.overall is expected, number

    assert "no new samples of " in outcome.sentence


def test_no_samples_ever() -> None:
    canary = CanaryWorld()

    assert canary.look(299).overall is Overall.NOT_ENOUGH
    assert canary.look(301).overall is Overall.NO_DATA


def test_two_replicas_of_the_provider_are_an_error_while_they_last() -> None:
    canary = world()
    play(canary, rounds=2)
    doubled = {
        tuple(sorted((*series, ("prometheus_replica", "b")))): value
        for series, value in canary.counters["c-1"].items()
    }
    canary.provider.scrape(START + 27, doubled)
    outcome = play(canary, start=2)
    healed = play(canary, rounds=1, start=3)

    assert outcome.overall is Overall.ERROR
    assert "two series for the same counter" in outcome.sentence
    assert outcome.verdicts[0].canary == Counts(0, 200)
    assert healed.overall is Overall.NO_HARM
    assert decode_state(healed.states["errors"]).rejected_rounds == 1


def test_a_scrape_that_came_late_is_dropped_and_counted() -> None:
    canary = world()
    canary.serves("c-1", CANARY, good=10)
    late = dict(canary.counters["c-1"])
    for number in (1, 2, 3):
        canary.serves("s-1", STABLE, good=100)
        canary.scrape(10 * number, "s-1")
        canary.look(10 * number + 1)
    canary.provider.scrape(START + 10, late)
    outcome = play(canary, start=3)

    state = decode_state(outcome.states["errors"])
    assert state.late_scrapes == 1
    assert state.canary.total == 100


def test_a_state_of_another_version_is_an_error_and_is_kept() -> None:
    canary = world(states={"errors": "9[]"})
    outcome = canary.look(5)

    assert queries(canary.rules, canary.states, canary.context, moment(START + 5)) == ()
    assert outcome.overall is Overall.ERROR
    assert outcome.states == {"errors": "9[]"}


def test_a_state_of_another_rule_is_an_error() -> None:
    canary = world()
    play(canary)
    canary.rules = rules(errors(DEFAULT, at_most(0.1)))

    assert canary.look(15).overall is Overall.ERROR


def test_baseline_and_inflation_come_from_stables_hour_before() -> None:
    canary = world(rules=rules(inflation=None))
    canary.provider = type(canary.provider)()
    for minute in range(-60, 1):
        for pod, burst in (("s-1", 0), ("s-2", 30)):
            canary.serves(pod, STABLE, good=600 - burst, bad=burst)
        canary.scrape(60 * minute, "s-1", "s-2")
    canary.scrape(0, "c-1")
    canary.context = replace(CONTEXT, scrape_interval=timedelta(seconds=60))
    outcome = canary.look(1)
    baseline = decode_state(outcome.states["errors"]).baseline

    assert baseline.rate == pytest.approx(0.025, rel=0.05)
    assert baseline.requests == 5000
    assert baseline.inflation_source is InflationSource.MEASURED
    assert baseline.variance_inflation == pytest.approx(30.8, rel=0.05)
    assert outcome.verdicts[0].limits.variance_inflation == baseline.variance_inflation


WRONG = RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, (at_most(0.5), DEFAULT))
FROM_THE_MINUTE = START - START % 60


def labelled() -> CanaryWorld:
    """For an hour stable got labels, a cohort every five minutes; a tenth of them says wrong."""
    canary = CanaryWorld(rules(errors(DEFAULT), WRONG, inflation=None))
    for tick in range(-360, 1):
        for pod, revision in (("s-1", STABLE), ("s-2", STABLE)):
            gets_labels(canary, pod, revision, FROM_THE_MINUTE + tick // 30 * 300)
        canary.scrape(10 * tick)
    canary.serves("c-1", CANARY)
    canary.scrape(0, "c-1")
    return canary


def gets_labels(canary: CanaryWorld, pod: str, revision: str, cohort: int) -> None:
    own = {"pod": pod_name(pod, revision), "revision": revision}
    canary.serves(pod, revision, good=10)
    for outcome, count in (("right", 9), ("wrong", 1)):
        series = labels("serinus_labels_total", outcome=outcome, cohort=str(cohort), **own)
        canary.count(pod, series, count)


def test_how_stables_labels_were_is_the_first_question_and_what_came_since_the_second() -> None:
    canary = labelled()
    for pod, revision in (("c-1", CANARY), ("s-1", STABLE), ("s-2", STABLE)):
        gets_labels(canary, pod, revision, START)
    canary.scrape(10)

    first = canary.look(11)
    known = decode_state(canary.states["wrong"])
    second = canary.look(11)

    assert known.baseline.rate == 0.1
    assert known.baseline.requests == 5000
    assert known.baseline.inflation_source is InflationSource.MEASURED
    assert first.overall is Overall.NOT_ENOUGH
    assert "errors" not in first.states  # else its evidence would be of other rounds
    counted = decode_state(second.states["wrong"])
    assert (counted.canary.total, counted.stable.total) == (10, 20)
    assert decode_state(second.states["errors"]).canary.total == 10
    assert counted.late_scrapes == 0


def test_what_is_read_of_labels_does_not_grow_with_the_cohorts_that_pods_keep() -> None:
    canary = labelled()
    canary.context = replace(CONTEXT, cohort_lengths=(300,), first_cohort_at=moment(START + 100))

    def read() -> list[RangeVector]:
        asked = queries(canary.rules, canary.states, canary.context, moment(START + 401))
        (of_labels,) = (query for query in asked if query.metric == "wrong")
        return list(canary.provider.answer(of_labels))

    first = read()
    canary.look(401)
    for cohort in (-3600, 100, 400):  # the first is from before the rollout
        gets_labels(canary, "s-1", STABLE, START + cohort)
    canary.scrape(400)
    second = read()

    assert sum(len(one.samples) for one in first) == 2 * 2 * 60  # pods, outcomes, minutes
    cohorts = {one.labels["cohort"] for one in second if "cohort" in one.labels}
    assert cohorts == {str(START + 100), str(START + 400)}


def test_an_operator_that_was_away_at_the_start_takes_nothing_for_missing() -> None:
    canary = labelled()

    first, second = canary.look(400), canary.look(400)

    assert first.overall is Overall.BEHIND
    assert second.overall is Overall.NO_DATA


REFUSED = QueryFailure(QueryFailureKind.REJECTED, "too many samples")
TOO_LATE = QueryFailure(QueryFailureKind.TIMEOUT, "no answer within 5 s")


@pytest.mark.parametrize(
    ("failure", "patience"), [(REFUSED, 300), (TOO_LATE, 3600)], ids=["refused", "no answer"]
)
def test_a_first_question_that_fails_is_asked_again_and_holds_nobody_up(
    failure: QueryFailure, patience: int
) -> None:
    canary = labelled()

    for at in (1, patience):
        failed = canary.look(at, failing={"wrong": failure})
        now = moment(START + at)
        asked = {one.metric: one for one in queries(canary.rules, canary.states, CONTEXT, now)}
        assert failed.overall is Overall.ERROR
        assert failure.message in failed.sentence
        assert set(canary.states) == {"errors"}
        assert asked["wrong"].evaluated_at == CONTEXT.started_at
        assert asked["errors"].evaluated_at > CONTEXT.started_at

    canary.look(patience + 1, failing={"wrong": failure})
    state = decode_state(canary.states["wrong"])
    assert state.baseline.inflation_source is InflationSource.FALLBACK


def test_labels_of_a_version_that_has_just_become_stable_have_no_first_question() -> None:
    canary = labelled()
    canary.context = replace(CONTEXT, stable_since=moment(START - 30))

    canary.look(1)

    assert decode_state(canary.states["wrong"]).baseline.requests == 1


def test_a_quiet_stable_falls_back_to_two() -> None:
    outcome = play(world(rules=rules(inflation=None)))

    assert outcome.verdicts[0].limits.variance_inflation == 2


def test_one_of_two_metrics_is_harmful() -> None:
    slow = RateRule(
        "slow", MetricTemplate.SLOW_REQUESTS, (DEFAULT,), latency_seconds=0.25, primary=True
    )
    canary = world(rules=rules(errors(), slow))
    for number in range(8):
        for pod, revision, within in (("c-1", CANARY, 50), ("s-1", STABLE, 100)):
            name = "serinus_request_duration_seconds"
            own = {"pod": pod_name(pod, revision), "revision": revision}
            canary.count(pod, labels(f"{name}_count", **own), 100)
            canary.count(pod, labels(f"{name}_bucket", le="0.25", **own), within)
        canary.scrape(10 * number)
        outcome = canary.look(10 * number + 1)

    verdicts = {verdict.metric: verdict for verdict in outcome.verdicts}
    assert outcome.overall is Overall.HARM
    assert verdicts["slow"].verdict is Verdict.FAILED
    assert verdicts["errors"].verdict is Verdict.INCONCLUSIVE
    assert outcome.sentence.startswith("slow: canary 350 of 700 slow, stable 0 of 700; harm shown")


def test_a_metric_that_only_alarms_neither_keeps_from_promotion_nor_rolls_back() -> None:
    slice_only = errors(at_most(0.000001), name="slice", gate=False)
    outcome = play(
        world(rules=rules(errors(), slice_only)),
        rounds=10,
        good=97,
        bad=3,
        stable_good=97,
        stable_bad=3,
    )

    assert outcome.overall is not Overall.HARM
    assert [verdict.gate for verdict in outcome.verdicts] == [True, False]
    assert [verdict.alarms for verdict in outcome.verdicts] == [False, True]
    assert outcome.verdicts[1].evidence_ratio > 1


def test_a_metric_that_only_alarms_takes_no_alpha_from_the_gates() -> None:
    slices = [errors(name=f"slice-{number}", gate=False) for number in range(5)]
    alone, beside = (
        play(world(rules=rules(*metrics)), rounds=6, good=90, bad=10)
        for metrics in ((errors(),), (errors(), *slices))
    )

    assert alone.evidence_ratio == beside.evidence_ratio
    assert alone.verdicts[0] == beside.verdicts[0]


def scalar(**more: object) -> ScalarRule:
    rule = ScalarRule(
        "queue", 'max(q{r="{{ .revision }}"})', maximum=100, interval=timedelta(0, 10)
    )
    return replace(rule, **more)  # type: ignore[arg-type]


def number(value: float) -> tuple[RangeVector, ...]:
    return (RangeVector({}, ((0.0, value),)),)


def test_a_scalar_gates_fails_and_errs() -> None:
    def after(value: object, **more: object) -> AnalysisOutcome:
        canary = world(rules=rules(errors(), scalar(**more)))
        play(canary, rounds=10)
        return canary.look(112, failing={"queue": value})  # type: ignore[dict-item]

    assert after(number(100)).overall is Overall.SAFE
    assert after(number(101)).overall is Overall.LIMIT_EXCEEDED
    assert after(number(101)).sentence == (
        "queue: 101, at most 100 allowed; outside its limits 1 of 1 times, 0 tolerated"
    )
    assert after(number(101), failure_limit=1).overall is Overall.NO_HARM
    assert after(number(101), dry_run=True).overall is Overall.SAFE
    assert after(number(math.nan), consecutive_error_limit=0).overall is Overall.ERROR
    assert after(()).overall is Overall.NOT_ENOUGH


def test_a_provider_that_is_away_is_no_measurement_and_the_scalar_is_asked_for_again() -> None:
    canary = world(rules=rules(scalar()))
    canary.look(26, failing={"queue": number(5)})
    before = canary.states

    away = [canary.look(31 + second, failing={"queue": AWAY}) for second in range(9)]
    again = queries(canary.rules, canary.states, CONTEXT, moment(START + 39))
    back = canary.look(39, failing={"queue": number(5)})

    assert {outcome.overall for outcome in away} == {Overall.ERROR}
    assert "Unreachable: connection refused" in away[0].sentence
    assert away[-1].states == before
    assert [query.evaluated_at for query in again] == [moment(START + 30)]
    assert back.overall is Overall.SAFE


def test_nothing_measured_is_never_harmless() -> None:
    canary = world(rules=rules(scalar(interval=timedelta(minutes=1))))
    canary.context = replace(CONTEXT, warmup=timedelta(seconds=60))

    assert canary.look(1).overall is Overall.NOT_ENOUGH
    assert canary.look(61, failing={"queue": number(5)}).overall is Overall.SAFE
    canary.context = replace(canary.context, measured_since=moment(START + 90))
    assert canary.look(100).overall is Overall.NOT_ENOUGH
    assert canary.look(121, failing={"queue": number(5)}).overall is Overall.SAFE


def test_a_scalar_is_asked_for_when_it_is_due() -> None:
    canary = world(rules=rules(scalar()))
    first = queries(canary.rules, {}, CONTEXT, moment(START + 25))
    outcome = canary.look(26, failing={"queue": number(5)})

    assert [(query.promql, query.evaluated_at) for query in first] == [
        ('max(q{r="c0ffee0000"})', moment(START + 20))
    ]
    assert outcome.overall is Overall.SAFE
    assert queries(canary.rules, outcome.states, CONTEXT, moment(START + 29)) == ()
    assert len(queries(canary.rules, outcome.states, CONTEXT, moment(START + 30))) == 1


def test_an_unknown_placeholder_is_an_error_of_the_metric() -> None:
    canary = world(rules=rules(scalar(query="max({{ .pod }})")))
    outcome = canary.look(26)

    assert outcome.overall is Overall.ERROR
    assert "unknown placeholder `{{ .pod }}`" in outcome.sentence


def test_without_metrics_there_is_no_evidence() -> None:
    canary = world()
    canary.rules = replace(canary.rules, metrics=())

    assert canary.look(5).overall is Overall.NO_METRICS
    assert canary.look(5).sentence == "no metric gates: without evidence"


def test_nothing_is_asked_for_before_the_canary_has_traffic() -> None:
    assert queries(rules(), {}, CONTEXT, moment(START - 1)) == ()


def test_an_outage_of_hours_is_caught_up_in_steps() -> None:
    canary = world()
    play(canary, rounds=2)
    for tick in range(2000, 2010):
        canary.serves("c-1", CANARY, good=10)
        canary.serves("s-1", STABLE, good=10)
        canary.scrape(10 * tick)
    passes = 0
    while decode_state(canary.states["errors"]).watermark_ms < (START + 20_090) * 1000:
        outcome = canary.look(20_095)
        passes += 1

    assert passes <= 7
    assert outcome.verdicts[0].canary == Counts(0, 200 + 90)
    assert outcome.overall is Overall.NO_HARM
