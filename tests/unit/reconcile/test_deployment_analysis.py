"""The metrics provider: asked for what is needed, never taken for evidence when it is away."""

import math
from typing import Any

import pytest

from serinus.analysis.samples import Query, QueryFailure, QueryFailureKind, QueryResult
from serinus.api.conditions import format_micro_time, parse_time
from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import CanaryStatus
from serinus.reconcile.deployment import look_at
from serinus.reconcile.deployment_analysis import SOON_SECONDS, with_answers
from serinus.reconcile.deployment_rules import RolloutRules, frozen_rules, parsed_rules
from tests.support.deployment_world import (
    QUICK_ANALYSIS,
    START,
    Behaviour,
    World,
    model_version,
    serving_v1,
)
from tests.support.recorded_counters import moment

pytestmark = pytest.mark.slow


def judged_by(**analysis: Any) -> World:
    return serving_v1(analysis={**QUICK_ANALYSIS, **analysis})


def asked(world: World) -> list[str]:
    return [query.metric for query in look_at(world.snapshot({}), world.now).queries]


def test_nothing_is_asked_without_a_rollout() -> None:
    assert asked(serving_v1()) == []


def test_before_a_canary_only_whether_the_provider_answers_is_asked() -> None:
    world = serving_v1()

    world.serves_version("v2")

    assert asked(world) == ["$provider"]


def test_with_traffic_the_metrics_are_asked_for() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.second += 1

    assert asked(world) == ["errors"]


def test_a_rollout_that_a_person_ends_waits_for_no_answer() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.second += 1
    judged = asked(world)

    world.says("abort")
    aborted = asked(world)
    world.annotations.clear()
    world.serves_version("v1")

    assert judged == ["errors"]
    assert aborted == []
    assert asked(world) == []


def test_a_provider_that_is_away_at_the_start_is_waited_for_before_the_first_pod() -> None:
    world = serving_v1()
    world.provider_away = True

    world.serves_version("v2")
    world.runs(300)
    waiting = (world.canary, len(world.pods), world.condition("Reconciling"), world.phase)
    world.provider_away = False
    world.runs(900, until="settled")

    assert waiting == (None, 4, ("True", "MetricsUnavailable"), "Paused")
    assert world.stable == "v2"


def test_a_provider_that_goes_away_freezes_a_healthy_canary_which_then_goes_on() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(7)
    step = world.canary["step"]

    world.provider_away = True
    world.runs(600)
    frozen = (world.canary["step"], world.phase, world.condition("Reconciling"))
    world.provider_away = False
    world.runs(900, until="settled")

    assert frozen == (step, "Paused", ("True", "MetricsUnavailable"))
    assert world.stable == "v2"
    assert "rollback" not in world.actions()


def test_the_clock_of_a_step_stands_still_while_the_provider_is_away() -> None:
    steps = [{"setWeight": 50}, {"analyze": {"minSamples": 1000000, "maxDuration": "3m"}}]
    world = serving_v1(
        analysis={**QUICK_ANALYSIS, "onDeadline": "rollback"}, strategy={"canary": {"steps": steps}}
    )
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(60)

    world.provider_away = True
    world.runs(300)
    while_away = world.canary
    world.provider_away = False
    world.runs(90)
    shortly_before = world.canary
    world.runs(60)

    assert while_away is not None
    assert shortly_before is not None
    assert world.reasons()[-1] == "AnalysisDeadlineExceeded"


def test_the_clock_stands_still_while_the_provider_is_away_and_a_pod_is_missing_too() -> None:
    steps = [{"setWeight": 50}, {"pause": {"duration": "2m"}}]
    world = serving_v1(strategy={"canary": {"steps": steps}})
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(30)

    world.provider_away = True
    world.behaviours["v2"] = Behaviour(starts=False)
    world.runs(300)
    while_away = (world.canary, world.condition("Reconciling"))
    world.provider_away = False
    world.behaviours["v2"] = Behaviour()
    world.runs(60)
    shortly_before = world.canary
    world.runs(60, until="settled")

    assert while_away[0]["step"] == 1
    assert while_away[1] == ("True", "WaitingForPods")
    assert shortly_before is not None
    assert world.stable == "v2"


def test_without_samples_a_pause_doesn_t_run_out() -> None:
    steps = [{"setWeight": 50}, {"pause": {"duration": "10m"}}]
    world = serving_v1(strategy={"canary": {"steps": steps}})
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(10)

    world.scrape_interval = 86_400
    world.runs(1200)

    assert world.canary["step"] == 1
    assert world.condition("Reconciling") == ("True", "NoData")
    assert world.phase == "Paused"


def test_an_outage_that_hits_the_provider_in_a_bad_canary_only_delays_the_rollback() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.provider_away = True
    world.runs(60)
    during = world.canary
    world.provider_away = False
    world.runs(60, until="rolled back")

    assert during is not None
    assert world.stable == "v1"


def test_a_hold_without_end_is_told_once_a_day() -> None:
    world = serving_v1(
        analysis={"metrics": []},
        strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
    )
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.requests_per_second = 0

    for _ in range(3):
        world.second += 86_400
        world.dirty = True
        world.operator_works()

    told = [reason for _, reason, _ in world.events if reason == "PausedByStep"]
    assert len(told) == 4
    assert world.actions().count("hold") == 1


def test_at_the_deadline_a_rollout_holds_and_says_how_many_requests_it_needs() -> None:
    world = judged_by(onDeadline="hold")
    world.applies(
        strategy={
            "canary": {"steps": [{"setWeight": 20}, {"analyze": {"maxDuration": "30s"}}]},
        }
    )
    world.requests_per_second = 2

    world.serves_version("v2")
    world.runs(120)

    assert world.phase == "Paused"
    assert world.condition("Reconciling") == ("True", "InsufficientEvidence")
    assert "more canary requests" in world.status["message"]


def test_at_the_deadline_a_rollout_can_promote_and_says_why() -> None:
    world = judged_by(onDeadline="promote")
    world.applies(
        strategy={
            "canary": {"steps": [{"setWeight": 20}, {"analyze": {"maxDuration": "30s"}}]},
        }
    )
    world.requests_per_second = 2

    world.serves_version("v2")
    world.runs(120, until="settled")

    assert world.stable == "v2"
    assert "AnalysisDeadlineExceeded" in world.reasons()


def test_status_shows_counts_evidence_and_what_they_mean() -> None:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(20)

    (errors,) = world.status["analysis"]
    assert errors["metric"] == "errors"
    assert errors["verdict"] in ("Inconclusive", "Successful")
    assert errors["canary"]["total"] > 0
    assert errors["stable"]["total"] > errors["canary"]["total"]
    assert errors["state"]


def test_between_two_scrapes_of_all_pods_nothing_is_asked_in_vain() -> None:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.runs(20)

    passes = 0
    for _ in range(60):
        world.dirty = False
        passes += world.due is not None and world.due <= world.second
        world.ticks()

    assert passes <= 60 / world.scrape_interval + 2


def test_how_stables_labels_were_is_asked_first_and_what_came_since_at_once_after_it() -> None:
    wrong = {"name": "wrong", "template": "wrong-predictions", "compareTo": "stable"}
    world = serving_v1(
        server={"feedback": {"cohortLength": "20s"}},
        analysis={**QUICK_ANALYSIS, "metrics": [wrong]},
    )
    world.runs(300)
    world.versions["v2"] = model_version("v2")
    world.applies(
        server={"feedback": {"cohortLength": "10s"}}, model={"versionRef": {"name": "v2"}}
    )
    world.runs(60, until="canary has traffic")
    world.second += 1

    (first,) = look_at(world.snapshot({}), world.now).queries
    decision = world.decision()
    world.one_pass()
    (second,) = look_at(world.snapshot({}), world.now).queries

    assert "offset 60000ms" in first.promql
    assert decision.requeue_after_seconds == SOON_SECONDS
    started = world.canary["trafficStartedAt"] if world.canary else ""
    assert format_micro_time(first.evaluated_at) == started
    assert second.evaluated_at == world.now
    first_cohort = math.ceil(parse_time(started).timestamp() / 20) * 20
    assert f'cohort=~"|{first_cohort}' in second.promql


QUEUE = {"name": "queue", "prometheus": {"query": "queue"}, "max": "100", "interval": "10s"}
STEPS = {"canary": {"stepWeights": [20, 50]}}


def judged_by_its_queue(queue: dict[str, Any] | None = None, **analysis: Any) -> World:
    world = judged_by(metrics=[QUEUE | (queue or {})], **analysis)
    world.applies(strategy=STEPS)
    world.scalars["queue"] = 5.0
    world.serves_version("v2")
    return world


def test_a_rollout_that_only_a_scalar_judges_waits_for_its_measurement_in_each_step() -> None:
    world = judged_by_its_queue(warmup="60s")
    world.runs(60, until="canary has traffic")
    world.runs(50)
    warming_up = (world.canary["step"], world.status["analysis"][0]["message"])
    world.runs(12)
    second = world.canary["step"]
    world.runs(30, until="settled")

    assert warming_up == (1, "queue: not measured yet")
    assert second > 1
    assert world.stable == "v2"


def test_a_step_goes_on_when_its_count_of_measurements_is_there_and_not_before() -> None:
    world = judged_by_its_queue(warmup="0s", queue={"count": 3, "initialDelay": "30s"})
    world.runs(60, until="canary has traffic")
    world.runs(45)
    waiting, message = world.canary["step"], world.status["analysis"][0]["message"]
    world.runs(15)
    second = world.canary["step"]
    world.runs(60, until="settled")

    assert waiting == 1
    assert message.startswith("queue: 5, at most 100 allowed; outside its limits 0 of 2 times")
    assert message.endswith("; 2 of 3 in its step")
    assert second > 1
    assert world.stable == "v2"


def test_more_inconclusive_measurements_than_tolerated_wait_for_a_person() -> None:
    world = judged_by_its_queue(warmup="0s", queue={"successMax": "80", "inconclusiveLimit": 1})
    world.scalars["queue"] = 90.0
    world.runs(60, until="canary has traffic")
    world.runs(120)
    held = (world.stable, world.condition("Reconciling"), world.status["message"])
    world.scalars["queue"] = 5.0
    world.runs(120)

    assert held[:2] == ("v1", ("True", "InsufficientEvidence"))
    assert "a person's `promote` or `abort`, because queue: 90" in held[2]
    assert world.stable == "v1"


def test_a_rollout_that_only_a_scalar_judges_stands_still_while_the_provider_is_away() -> None:
    world = judged_by_its_queue(warmup="10s")
    world.runs(60, until="canary has traffic")

    world.provider_away = True
    world.runs(1800)
    away = (world.canary["step"], world.condition("Reconciling"), world.phase)
    world.provider_away = False
    world.runs(120, until="settled")

    assert away == (1, ("True", "MetricsUnavailable"), "Paused")
    assert world.stable == "v2"


def test_a_query_that_yields_nothing_is_no_data_after_five_minutes_and_never_success() -> None:
    world = judged_by_its_queue(warmup="0s", onNoData="rollback")
    del world.scalars["queue"]
    world.provider.answer = lambda query: ()  # type: ignore[method-assign]
    world.runs(60, until="canary has traffic")
    world.runs(290)
    waiting = (world.canary["step"], world.condition("Reconciling"))
    world.runs(30, until="rolled back")

    assert waiting == (1, ("True", "InsufficientEvidence"))
    assert world.reasons()[-1] == "NoData"


def test_a_metric_that_only_alarms_is_told_once_and_the_rollout_goes_its_way() -> None:
    strict = {"name": "strict", "template": "error-rate", "max": "0.001", "gate": False}
    world = judged_by(metrics=[*QUICK_ANALYSIS["metrics"], strict])
    world.behaviours = {"v1": Behaviour(error_percent=2), "v2": Behaviour(error_percent=2)}
    world.runs(30)
    world.serves_version("v2")
    world.runs(900, until="settled")

    alarms = [message for _, reason, message in world.events if reason == "MetricAlarm"]
    said = {one["metric"]: one["verdict"] for one in world.status["analysis"]}
    assert world.stable == "v2"
    assert said == {"errors": "Successful", "strict": "Failed"}
    assert len(alarms) == 1
    assert alarms[0].startswith("strict: canary ")


def test_a_provider_that_is_away_can_pause_the_rollout_until_a_person_resumes() -> None:
    world = judged_by(onProviderError="pause")
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.provider_away = True
    world.runs(20)
    world.provider_away = False
    world.runs(600)
    paused = (world.condition("Reconciling"), world.canary["pausedBy"])
    world.says("resume")
    world.runs(600, until="settled")

    assert paused == (("True", "PausedByUser"), "analysis.onProviderError")
    assert world.stable == "v2"


def test_status_shows_what_the_limits_come_to_beside_stable_as_it_is() -> None:
    world = judged_by(varianceInflation="12")
    world.behaviours["v1"] = Behaviour(error_percent=10)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(60)

    (errors,) = world.status["analysis"]
    stable = float(errors["limits"]["stableRate"])
    assert 0 < stable < 0.1
    tolerated, accepted = (errors["limits"][name] for name in ("toleratedRate", "acceptedRate"))
    assert float(tolerated) == pytest.approx(1.25 * stable + 0.001, rel=0.01)
    assert float(accepted) == pytest.approx(2 * stable + 0.01, rel=0.01)
    assert errors["limits"]["varianceInflation"] == "12"
    assert errors["limits"]["varianceInflationSource"] == "given"
    assert "12 times as bunched" in errors["warning"]


@pytest.mark.parametrize(
    ("figures", "warned"),
    [
        ({"best_constant_error_rate": "0.02"}, True),
        ({"best_constant_error_rate": "0.3"}, False),
        ({"best_constant_brier": "0.02"}, False),
        ({"best_constant_error_rate": "nan"}, False),
        ({}, False),
    ],
    ids=["it would pass", "it wouldn't", "of another score", "no number", "not known"],
)
def test_a_margin_that_would_accept_a_constant_answer_is_warned_of(
    figures: dict[str, str], warned: bool
) -> None:
    wrong = {"name": "wrong", "template": "wrong-predictions", "compareTo": "stable"}
    world = judged_by(metrics=[wrong])
    evaluation = {"passed": True, "metrics": figures}
    world.versions["v2"] = model_version("v2", evaluation=evaluation)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(20)

    warning = world.status["analysis"][0].get("warning", "")
    assert ("constant answer has 0.02: it would pass" in warning) is warned


@pytest.mark.parametrize(("score", "warned"), [("brier", True), ("logLoss", False)])
def test_a_constant_answer_is_known_by_brier_s_score_alone(score: str, warned: bool) -> None:
    loss = {"name": "loss", "template": "prediction-loss", "score": score, "compareTo": "stable"}
    feedback = {"scores": [{"score": "logLoss", "bound": "5"}]}
    world = serving_v1(
        server={"feedback": feedback}, analysis={**QUICK_ANALYSIS, "metrics": [loss]}
    )
    evaluation = {"passed": True, "metrics": {"best_constant_brier": "0.02"}}
    world.versions["v2"] = model_version("v2", evaluation=evaluation)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(20)

    warning = world.status["analysis"][0].get("warning", "")
    assert ("constant answer has 0.02: it would pass" in warning) is warned


@pytest.mark.parametrize(
    ("feedback", "warned"), [({}, True), ({"maturity": "0s"}, True), ({"maturity": "1h"}, False)]
)
def test_labels_that_count_as_they_come_are_warned_of(
    feedback: dict[str, str], warned: bool
) -> None:
    wrong = {"name": "wrong", "template": "wrong-predictions", "compareTo": "stable"}
    world = judged_by(metrics=[wrong])
    world.versions["v2"] = model_version("v2")
    world.applies(server={"feedback": feedback}, model={"versionRef": {"name": "v2"}})
    world.runs(60, until="canary has traffic")
    world.runs(20)

    warning = world.status["analysis"][0].get("warning", "")
    assert ("Set `server.feedback.maturity`" in warning) is warned


@pytest.mark.parametrize("error_percent", [40, 100])
def test_a_dead_canary_gets_no_higher_weight_between_the_round_that_shows_it_and_the_next(
    error_percent: int,
) -> None:
    world = judged_by()
    world.behaviours["dead"] = Behaviour(error_percent=error_percent)
    world.serves_version("dead")

    world.runs(300, until="rolled back")

    steps = [one["because"] for one in world.status["history"] if one["action"] == "step"]
    assert [step.partition(":")[0] for step in steps] == ["step 2 of 4"]


AWAY = QueryFailure(QueryFailureKind.UNREACHABLE, "connection refused")
REFUSED = QueryFailure(QueryFailureKind.REJECTED, "parse error")
RULES = parsed_rules(frozen_rules(DeploymentSpec.model_validate({"model": {}})))
SLOW = parsed_rules(
    frozen_rules(
        DeploymentSpec.model_validate(
            {
                "model": {},
                "analysis": {
                    "metrics": [
                        {"name": "q", "prometheus": {"query": "q"}, "max": "1", "interval": "5m"}
                    ]
                },
            }
        )
    )
)


@pytest.mark.parametrize(
    ("answer", "seconds", "rules", "since", "at"),
    [
        ((), 30, RULES, 0, 0),
        ((), 70, RULES, 0, 70),
        ((), 140, RULES, 0, 140),
        ((), 160, RULES, 160, 160),
        ((), 700, SLOW, 0, 700),
        ((), 760, SLOW, 760, 760),
        (REFUSED, 70, RULES, 0, 70),
        (AWAY, 160, RULES, 0, 0),
        (None, 160, RULES, 0, 0),
    ],
    ids=[
        "told a moment ago",
        "answers all the time",
        "a short gap",
        "a long gap",
        "a scalar that is asked for every five minutes",
        "a long gap for that, too",
        "a refusal is an answer",
        "no answer",
        "nothing was asked",
    ],
)
def test_since_when_the_provider_answers(
    answer: QueryResult | None, seconds: int, rules: RolloutRules, since: int, at: int
) -> None:
    told = format_micro_time(moment(START))
    canary = CanaryStatus(
        revision="c0ffee0000",
        model_version="v2",
        started_at=told,
        step_started_at=told,
        answers_since=told,
        answered_at=told,
    )
    now = moment(START + seconds)
    samples = {} if answer is None else {Query("errors", "q", now): answer}

    found = with_answers(canary, rules, samples, now)

    assert found.answers_since == format_micro_time(moment(START + since))
    assert found.answered_at == format_micro_time(moment(START + at))
