"""Every reason to stay at a step, one row a rule, and a row for each order that matters."""

import pytest

from serinus.api.enums import AnalysisMode, OnEvent, Reason, Verb
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, first_match
from serinus.rollout.hold import HOLD_RULES, clock_stands_still, paused_by, waits_without_end
from serinus.rollout.sample_ratio import SampleRatio
from tests.support.given import (
    AT_FIRST_ANALYSIS,
    AT_LAST_ANALYSIS,
    AT_PAUSE,
    AT_TIMED_PAUSE,
    Given,
    rollout,
)

HOUR = 3600.0
OFF = SampleRatio(canary=6_000, stable=4_000, canary_percent=50)

CASES = [
    ("a person paused it", rollout().but(paused_by="ada"), Reason.PAUSED_BY_USER),
    (
        "evidence took its requests away",
        rollout().withdrawn(),
        Reason.PAUSED_BY_EVIDENCE,
    ),
    ("suspended by its spec", rollout().but(suspended=True), Reason.SUSPENDED),
    (
        "the spec asks for a model that isn't there yet",
        rollout().waits_for_another_model(),
        Reason.WAITING_FOR_MODEL_VERSION,
    ),
    (
        "the cluster doesn't know HTTPRoutes any more",
        rollout().but(router_problem=Finding(Reason.GATEWAY_API_MISSING, "gone")),
        Reason.GATEWAY_API_MISSING,
    ),
    (
        "a gateway refuses the route",
        rollout().but(router_problem=Finding(Reason.ROUTE_NOT_ACCEPTED, "refused")),
        Reason.ROUTE_NOT_ACCEPTED,
    ),
    (
        "a gateway that refuses explains why there are no requests",
        rollout()
        .at(AT_FIRST_ANALYSIS)
        .judged(Overall.NO_DATA)
        .but(router_problem=Finding(Reason.ROUTE_NOT_ACCEPTED, "refused")),
        Reason.ROUTE_NOT_ACCEPTED,
    ),
    ("pods are missing", rollout().pods(1, of=2), Reason.WAITING_FOR_PODS),
    (
        "the Service doesn't send requests yet",
        rollout().but(traffic_problem="about to"),
        Reason.WAITING_FOR_PODS,
    ),
    ("Prometheus is away", rollout().judged(Overall.ERROR), Reason.METRICS_UNAVAILABLE),
    (
        "the units of an A/B test weren't split as planned",
        rollout().at(AT_LAST_ANALYSIS).judged(Overall.SAFE).but(sample_ratio=OFF),
        Reason.SAMPLE_RATIO_MISMATCH,
    ),
    (
        "a dead Prometheus comes before a split that is off",
        rollout().at(AT_LAST_ANALYSIS).judged(Overall.ERROR).but(sample_ratio=OFF),
        Reason.METRICS_UNAVAILABLE,
    ),
    (
        "a split that is off before a deadline that is over",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.NOT_ENOUGH)
        .but(sample_ratio=OFF),
        Reason.SAMPLE_RATIO_MISMATCH,
    ),
    (
        "Prometheus is away in a pause",
        rollout().at(AT_TIMED_PAUSE, for_seconds=HOUR).judged(Overall.ERROR),
        Reason.METRICS_UNAVAILABLE,
    ),
    (
        "no samples in an analysis",
        rollout().at(AT_FIRST_ANALYSIS).judged(Overall.NO_DATA),
        Reason.NO_DATA,
    ),
    (
        "no samples in a pause that is over",
        rollout().at(AT_TIMED_PAUSE, for_seconds=HOUR).judged(Overall.NO_DATA),
        Reason.NO_DATA,
    ),
    ("a pause for a person", rollout().at(AT_PAUSE, for_seconds=HOUR), Reason.PAUSED_BY_STEP),
    (
        "a pause that isn't over",
        rollout().at(AT_TIMED_PAUSE, for_seconds=599),
        Reason.PAUSED_BY_STEP,
    ),
    (
        "too few requests",
        rollout().at(AT_FIRST_ANALYSIS).judged(Overall.NOT_ENOUGH),
        Reason.INSUFFICIENT_EVIDENCE,
    ),
    (
        "samples that weren't read yet, in a step that asks for none",
        rollout().judged(Overall.BEHIND),
        Reason.INSUFFICIENT_EVIDENCE,
    ),
    (
        "samples that weren't read yet, after the deadline",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.BEHIND)
        .on_deadline(OnEvent.PROMOTE)
        .on_no_data(OnEvent.PROMOTE),
        Reason.INSUFFICIENT_EVIDENCE,
    ),
    (
        "no harm shown, and much that speaks for it",
        rollout().at(AT_FIRST_ANALYSIS).looming(0.45),
        Reason.INSUFFICIENT_EVIDENCE,
    ),
    (
        "no harm shown, and little that speaks for it",
        rollout().at(AT_FIRST_ANALYSIS).looming(0.24),
        None,
    ),
    (
        "much that speaks for harm, and evidence only observes",
        rollout().at(AT_FIRST_ANALYSIS).but(mode=AnalysisMode.OBSERVE).looming(0.45),
        None,
    ),
    (
        "the last analysis wants safety, not only no harm",
        rollout().at(AT_LAST_ANALYSIS, for_seconds=HOUR).judged(Overall.NO_HARM),
        Reason.INSUFFICIENT_EVIDENCE,
    ),
    (
        "safe, but the step's least time isn't over",
        rollout().at(AT_LAST_ANALYSIS, for_seconds=59).judged(Overall.SAFE),
        Reason.INSUFFICIENT_EVIDENCE,
    ),
    (
        "an analysis before any traffic",
        rollout().at(AT_FIRST_ANALYSIS).judged(None),
        Reason.INSUFFICIENT_EVIDENCE,
    ),
    # order
    (
        "a person's pause is told before anything else",
        rollout().but(paused_by="ada", suspended=True).judged(Overall.ERROR),
        Reason.PAUSED_BY_USER,
    ),
    (
        "pods that are missing explain why there are no samples",
        rollout().at(AT_FIRST_ANALYSIS).pods(0, of=1).judged(Overall.NO_DATA),
        Reason.WAITING_FOR_PODS,
    ),
    (
        "a provider that is away explains why there is too little evidence",
        rollout().at(AT_FIRST_ANALYSIS, for_seconds=HOUR).judged(Overall.ERROR),
        Reason.METRICS_UNAVAILABLE,
    ),
    (
        "requests that were taken away explain why nothing is measured",
        rollout().withdrawn().pods(0, of=1).judged(Overall.NO_DATA),
        Reason.PAUSED_BY_EVIDENCE,
    ),
    # no reason to hold
    (
        "Prometheus is away, and evidence only observes",
        rollout().but(mode=AnalysisMode.OBSERVE).judged(Overall.ERROR),
        None,
    ),
    (
        "no samples, and evidence only observes",
        rollout().at(AT_FIRST_ANALYSIS).but(mode=AnalysisMode.OBSERVE).judged(Overall.NO_DATA),
        None,
    ),
    (
        "too little evidence where it only observes",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=60)
        .but(mode=AnalysisMode.OBSERVE)
        .judged(Overall.NOT_ENOUGH),
        None,
    ),
    ("a weight that has its pods and requests", rollout(), None),
    ("a pause that is over", rollout().at(AT_TIMED_PAUSE, for_seconds=600), None),
    (
        "a middle analysis without harm",
        rollout().at(AT_FIRST_ANALYSIS).judged(Overall.NO_HARM),
        None,
    ),
    (
        "the last analysis, safe",
        rollout().at(AT_LAST_ANALYSIS, for_seconds=60).judged(Overall.SAFE),
        None,
    ),
    (
        "no metric gates",
        rollout().at(AT_LAST_ANALYSIS, for_seconds=60).judged(Overall.NO_METRICS),
        None,
    ),
    (
        "the deadline is over and says promote",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.NOT_ENOUGH)
        .on_deadline(OnEvent.PROMOTE),
        None,
    ),
    (
        "no samples and told to promote",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.NO_DATA)
        .on_no_data(OnEvent.PROMOTE),
        None,
    ),
    (
        "no samples in a pause, told to promote",
        rollout()
        .at(AT_TIMED_PAUSE, for_seconds=HOUR)
        .judged(Overall.NO_DATA)
        .on_no_data(OnEvent.PROMOTE),
        None,
    ),
]


@pytest.mark.parametrize(
    ("given", "then"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_hold(given: Given, then: Reason | None) -> None:
    found = first_match(HOLD_RULES, given.facts)

    assert (found.reason if found else None) == then
    assert found is None or found.message


def test_each_rule_bears_the_name_of_its_reason_and_has_its_row() -> None:
    tried = {then.name.lower() for _, _, then in CASES if then}

    assert {rule.__name__ for rule in HOLD_RULES} == tried


@pytest.mark.parametrize(
    ("given", "reason", "then"),
    [
        (rollout().at(AT_PAUSE), Reason.PAUSED_BY_STEP, True),
        (rollout().at(AT_TIMED_PAUSE), Reason.PAUSED_BY_STEP, False),
        (rollout().at(AT_LAST_ANALYSIS, for_seconds=HOUR), Reason.INSUFFICIENT_EVIDENCE, True),
        (rollout().at(AT_LAST_ANALYSIS, for_seconds=9), Reason.INSUFFICIENT_EVIDENCE, False),
        (
            rollout().at(AT_LAST_ANALYSIS, for_seconds=HOUR).judged(Overall.BEHIND),
            Reason.INSUFFICIENT_EVIDENCE,
            False,
        ),
        (rollout().pods(1, of=2, waiting=599), Reason.WAITING_FOR_PODS, False),
        (rollout().pods(1, of=2, waiting=600), Reason.WAITING_FOR_PODS, True),
        (rollout(), Reason.METRICS_UNAVAILABLE, True),
    ],
)
def test_a_person_should_look_where_nothing_ends_the_wait(
    given: Given, reason: Reason, then: bool
) -> None:
    assert waits_without_end(given.facts, reason) is then


def test_time_in_which_nothing_can_be_learned_makes_no_step_older() -> None:
    assert clock_stands_still(rollout().judged(Overall.ERROR).facts)
    assert clock_stands_still(rollout().judged(Overall.BEHIND).facts)
    assert clock_stands_still(rollout().but(paused_by="ada").facts)
    assert not clock_stands_still(rollout().at(AT_FIRST_ANALYSIS).facts)
    assert not clock_stands_still(rollout().at(AT_TIMED_PAUSE).facts)


def test_what_the_analysis_says_is_in_the_message() -> None:
    given = rollout().at(AT_FIRST_ANALYSIS).judged(Overall.NOT_ENOUGH).asked(Verb.RETRY)

    found = first_match(HOLD_RULES, given.facts)

    assert found is not None
    assert "what the analysis says" in found.message


@pytest.mark.parametrize(
    ("given", "reason", "then"),
    [
        (rollout(), Reason.NO_DATA, None),
        (rollout().on_no_data(OnEvent.PAUSE), Reason.NO_DATA, "analysis.onNoData"),
        (rollout().on_no_data(OnEvent.PAUSE), Reason.METRICS_UNAVAILABLE, None),
        (rollout(), Reason.METRICS_UNAVAILABLE, None),
        (
            rollout().but(on_provider_error=OnEvent.PAUSE),
            Reason.METRICS_UNAVAILABLE,
            "analysis.onProviderError",
        ),
        (rollout().but(on_provider_error=OnEvent.PAUSE), Reason.NO_DATA, None),
    ],
)
def test_a_hold_becomes_a_pause_where_the_spec_says_so(
    given: Given, reason: Reason, then: str | None
) -> None:
    assert paused_by(given.facts, reason) == then
