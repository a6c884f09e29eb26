"""Laws of the analysis: what must not depend on when, how often or after which crash one looked."""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from serinus.analysis.advance import AnalysisOutcome, advance_analysis, queries
from serinus.analysis.cells import Arm, Cell, Rejected
from serinus.analysis.cold_pods import ColdArm, ColdPods
from serinus.analysis.eprocess import Mixture
from serinus.analysis.evidence import after_round, round_cap
from serinus.analysis.samples import (
    Contradiction,
    QueryFailure,
    QueryFailureKind,
    QueryResult,
    RangeVector,
)
from serinus.analysis.spec import DEFAULT_COMPARISON, AgainstMaximum, RateRule, ScalarRule
from serinus.analysis.state import (
    MAX_STATE_BYTES,
    Baseline,
    Bets,
    InflationSource,
    RateState,
    decode_state,
    encode_state,
)
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts, Overall
from tests.support.canary_world import (
    CANARY,
    CONTEXT,
    STABLE,
    START,
    CanaryWorld,
    errors,
    pod_name,
    rules,
)
from tests.support.recorded_counters import labels, moment

INTERVAL = 10
COHORT_SECONDS = 30
LABELS = DEFAULT_COMPARISON[MetricTemplate.WRONG_PREDICTIONS]
ALL_RATES = rules(
    errors(DEFAULT_COMPARISON[MetricTemplate.ERROR_RATE], AgainstMaximum(0.2)),
    RateRule("slow", MetricTemplate.SLOW_REQUESTS, errors().comparisons, latency_seconds=0.25),
    RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, (LABELS,), primary=True),
    RateRule("brier", MetricTemplate.PREDICTION_LOSS, (LABELS,), score="brier", primary=True),
)


@dataclass(frozen=True)
class Scrape:
    """What a pod has counted since its last scrape, then maybe restarts; `missed`: not recorded."""

    good: int
    bad: int
    missed: bool
    restarts: bool


scrapes = st.builds(
    Scrape,
    good=st.integers(0, 60),
    bad=st.integers(0, 4),
    missed=st.integers(0, 9).map(lambda drawn: drawn == 0),
    restarts=st.integers(0, 19).map(lambda drawn: drawn == 0),
)
histories = st.lists(
    st.tuples(
        st.sampled_from([CANARY, STABLE]),
        st.integers(0, 9_999).map(lambda offset: offset / 1000),  # when in the interval
        st.integers(-3, 4),  # its first scrape
        st.lists(scrapes, min_size=1, max_size=25),
    ),
    min_size=1,
    max_size=4,
)
Histories = Sequence[tuple[str, float, int, Sequence[Scrape]]]


def recorded(pods: Histories) -> CanaryWorld:
    """A world in which everything has been scraped already."""
    warm = replace(CONTEXT, warmup=timedelta(seconds=15))
    world = CanaryWorld(rules=ALL_RATES, context=warm)
    for number, (revision, offset, first, history) in enumerate(pods):
        pod = f"p-{number}"
        for tick, scrape in enumerate(history, start=first):
            world.serves(pod, revision, good=scrape.good, bad=scrape.bad)
            _count_duration_and_labels(world, pod, revision, scrape, tick)
            if not scrape.missed:
                world.scrape(tick * INTERVAL + offset, pod)
            if scrape.restarts:
                world.restarts(pod)
    return world


def _count_duration_and_labels(
    world: CanaryWorld, pod: str, revision: str, scrape: Scrape, tick: int
) -> None:
    own = {"pod": pod_name(pod, revision), "revision": revision}
    name = "serinus_request_duration_seconds"
    world.count(pod, labels(f"{name}_count", **own), scrape.good + scrape.bad)
    world.count(pod, labels(f"{name}_bucket", le="0.25", **own), scrape.good)
    first = math.ceil(START / COHORT_SECONDS) * COHORT_SECONDS
    cohort = str(first + tick // 3 * COHORT_SECONDS)
    for outcome, count in (("right", scrape.good), ("wrong", scrape.bad)):
        series = labels("serinus_labels_total", outcome=outcome, cohort=cohort, **own)
        world.count(pod, series, count)
    loss = labels("serinus_label_loss_total", score="brier", cohort=cohort, **own)
    world.count(pod, loss, scrape.bad * 0.75)


def last_look(world: CanaryWorld) -> AnalysisOutcome:
    """The first look of all only learns how many labels stable had before, and one follows it."""
    world.look(301)
    return world.look(301)


@settings(max_examples=60)
@given(histories, st.lists(st.integers(0, 300), max_size=25), st.booleans())
def test_the_same_samples_give_the_same_verdict_however_often_one_looked(
    pods: Histories, looks: list[int], starts_known: bool
) -> None:
    once, often = recorded(pods), recorded(pods)
    if starts_known:
        starts = {
            pod_name(f"p-{number}", revision): moment(START + first * INTERVAL - 5)
            for number, (revision, _, first, _) in enumerate(pods)
        }
        once.context = often.context = replace(
            once.context, pods_started_at=starts, pods_ready_at=starts
        )
    for at in sorted(looks):
        often.look(at)

    assert last_look(often) == last_look(once)


@settings(max_examples=30)
@given(histories, st.lists(st.integers(0, 300), max_size=25))
def test_asking_for_the_cohorts_that_count_gives_the_same_as_asking_for_all(
    pods: Histories, looks: list[int]
) -> None:
    of_all, of_some = recorded(pods), recorded(pods)
    of_some.context = replace(of_some.context, cohort_lengths=(COHORT_SECONDS,))
    for at in sorted(looks):
        of_all.look(at)
        of_some.look(at)

    assert last_look(of_some) == last_look(of_all)


@settings(max_examples=30)
@given(histories, st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_a_pass_that_was_lost_before_it_was_written_is_repeated_bit_for_bit(
    pods: Histories, looks: list[int]
) -> None:
    world = recorded(pods)
    for at in sorted(looks):
        before = world.states
        first = world.look(at)
        world.states = json.loads(json.dumps(dict(before)))

        assert world.look(at) == first


@settings(max_examples=30)
@given(histories, st.lists(st.tuples(st.integers(1, 300), st.integers(0, 2)), max_size=8))
def test_passes_that_crashed_before_they_wrote_leave_no_trace(
    pods: Histories, looks: list[tuple[int, int]]
) -> None:
    undisturbed, killed = recorded(pods), recorded(pods)
    for at, crashes in sorted(looks):
        undisturbed.look(at)
        before = killed.states
        for _ in range(crashes):
            killed.look(at)
            killed.states = json.loads(json.dumps(dict(before)))
        if crashes < 2:  # else it is down until the next look
            killed.look(at)

    assert last_look(killed) == last_look(undisturbed)


@settings(max_examples=10)
@given(st.integers(10, 400), st.integers(10, 400), st.floats(1, 3))
def test_no_error_on_either_side_is_promoted_in_the_end(
    canary: int, stable: int, inflation: float
) -> None:
    world = CanaryWorld(rules=rules(inflation=inflation))
    for tick in range(-1, 2000):
        world.serves("c-1", CANARY, good=canary)
        world.serves("s-1", STABLE, good=stable)
        world.scrape(tick * INTERVAL)
        if tick % 20 == 0 and tick > 0 and world.look(tick * INTERVAL + 1).overall is Overall.SAFE:
            return
    raise AssertionError(world.look(20_000).sentence)


numbers = st.floats(-20_000, 20_000).map(lambda value: round(value, 9))
counts = st.builds(
    Counts, st.floats(0, 1e9).map(lambda value: round(value, 9)), st.integers(0, 10**12)
)


def mixtures(size: int) -> st.SearchStrategy[Mixture]:
    return st.builds(Mixture, st.tuples(*[numbers] * size), numbers, numbers, numbers)


states = st.builds(
    RateState,
    watermark_ms=st.integers(0, 10**13),
    baseline=st.builds(Baseline, numbers, numbers, numbers, st.sampled_from(InflationSource)),
    bets=st.lists(st.builds(Bets, mixtures(7), mixtures(6)), min_size=1, max_size=2).map(tuple),
    canary=counts,
    stable=counts,
    scrapes_in_lookback=st.integers(0, 10**6),
    late_scrapes=st.integers(0, 10**6),
    canary_seen_ms=st.none() | st.integers(0, 10**13),
    stable_seen_ms=st.none() | st.integers(0, 10**13),
    total_harm=numbers,
    cold=st.builds(
        ColdPods,
        *[st.builds(ColdArm, st.integers(0, 5000), st.integers(0, 10**11), st.integers(0, 5000))]
        * 2,
    ),
)


@given(states)
def test_a_state_survives_its_text_bit_for_bit(state: RateState) -> None:
    text = encode_state(state)

    assert decode_state(text) == state
    assert len(text) <= MAX_STATE_BYTES


huge = st.integers(0, 2**53 - 1).flatmap(
    lambda total: st.builds(
        Counts, st.floats(0, 1).map(lambda share: share * total), st.just(total)
    )
)
LARGEST = 2**53 - 1  # a float counts no further
ALL_THAT_A_COUNTER_HOLDS = [
    (
        Counts(float(int(share * LARGEST)), LARGEST - 12_345 * number),
        Counts(float(int((1 - share) * LARGEST)), LARGEST - 999 * number),
    )
    for number, share in enumerate([0.9999, 0.00013, 0.5123] * 10)
]
TWO_LINES = (DEFAULT_COMPARISON[MetricTemplate.ERROR_RATE], AgainstMaximum(0.2))


@given(st.lists(st.tuples(huge, huge), min_size=1, max_size=20), st.floats(0, 1))
@example(ALL_THAT_A_COUNTER_HOLDS, 0.123456789)  # without bounds of the wealths it is 1041 long
def test_whatever_is_counted_the_state_stays_small(
    counts: list[tuple[Counts, Counts]], rate: float
) -> None:
    baseline = Baseline(round(rate, 9), 5000.0, 1.123456789, InflationSource.MEASURED)
    state = RateState(1_700_000_000_123, baseline, bets=(Bets(), Bets()))
    for canary, stable in counts:
        outcome = {Cell(Arm.CANARY, "c"): canary, Cell(Arm.STABLE, "s"): stable}
        state = after_round(
            state,
            outcome,
            end_ms=state.watermark_ms + 15_000,
            comparisons=TWO_LINES,
            cap=round_cap(0.01),
        )
        largest = replace(
            state,
            rejected=Rejected(Contradiction.BAD_EXCEEDS_TOTAL, "p" * 63),
            rejected_rounds=10**6,
            late_scrapes=10**6,
            scrapes_in_lookback=10**6,
            canary_seen_ms=state.watermark_ms,
            stable_seen_ms=state.watermark_ms,
            total_harm=-9998.123456789,
            cold=ColdPods(ColdArm(5000, 10**11, 5000), ColdArm(5000, 10**11, 5000)),
        )

        assert len(encode_state(largest)) <= MAX_STATE_BYTES
        assert decode_state(encode_state(largest)) == largest


odd_numbers = st.floats() | st.integers(-5, 5).map(float)
odd_series = st.builds(
    RangeVector,
    st.dictionaries(
        st.sampled_from(
            ["__name__", "pod", "revision", "code", "le", "outcome", "cohort", "score"]
        ),
        st.sampled_from(
            [
                "serinus_requests_total",
                "serinus_request_duration_seconds_count",
                "serinus_request_duration_seconds_bucket",
                "serinus_labels_total",
                "serinus_label_loss_total",
                CANARY,
                STABLE,
                "0.25",
                "200",
                "wrong",
                str(START),
                "",
            ]
        ),
    ),
    st.lists(st.tuples(st.integers(-50, 300).map(lambda at: float(START + at)), odd_numbers))
    .map(sorted)
    .map(tuple),
)
answers = st.lists(odd_series, max_size=6).map(tuple) | st.just(
    QueryFailure(QueryFailureKind.TIMEOUT, "no answer in 5 s")
)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(answers, answers), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["errors", "queue"]), st.text(max_size=20)),
)
def test_no_answer_and_no_state_makes_it_raise(
    given_answers: list[tuple[QueryResult, QueryResult]], damaged: dict[str, str]
) -> None:
    everything = replace(
        ALL_RATES, metrics=(*ALL_RATES.metrics, ScalarRule("queue", "q", maximum=1))
    )
    states_now = damaged
    for tick, (rate, scalar) in enumerate(given_answers):
        now = moment(START + 60 * tick)
        queries(everything, states_now, CONTEXT, now)
        by_metric = {rule.name: rate for rule in everything.rates} | {"queue": scalar}
        outcome = advance_analysis(states_now, by_metric, everything, CONTEXT, now)
        states_now = dict(outcome.states)

        assert all(one.sentence for one in outcome.verdicts)


@given(st.permutations(range(4)))
def test_the_order_of_rules_doesnt_matter(order: Sequence[int]) -> None:
    history = [Scrape(good=40, bad=tick % 3, missed=False, restarts=False) for tick in range(20)]
    pods = [(CANARY, 1.0, -1, history), (STABLE, 2.0, -1, list(itertools.chain(history)))]
    one, other = recorded(pods), recorded(pods)
    other.rules = replace(other.rules, metrics=tuple(other.rules.metrics[index] for index in order))

    first, second = one.look(301), other.look(301)

    assert first.states == second.states
    assert first.overall is second.overall
