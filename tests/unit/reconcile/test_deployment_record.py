"""Each decision is recorded with its inputs, once, whatever comes in between."""

import json
from typing import Any

import pytest

from serinus.api.deployment_status import PENDING_RECORDS_MAX, RECORD_MAX_LENGTH
from tests.support.deployment_world import (
    QUICK_ANALYSIS,
    Behaviour,
    World,
    a_world,
    digest,
    serving_v1,
)

pytestmark = pytest.mark.slow

PAUSES = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}


def decisions(world: World) -> list[dict[str, Any]]:
    return [decision for _, decision in world.recorded()]


def actions(world: World) -> list[str]:
    return [one["action"] for one in decisions(world)]


def last(world: World) -> dict[str, Any]:
    return decisions(world)[-1]


def a_rollback() -> World:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.serves_version("v2")
    world.runs(60, until="rolled back")
    return world


def test_a_first_deployment_is_recorded_from_its_beginning() -> None:
    world = serving_v1()

    first, then = decisions(world)
    version = {"modelVersion": "v1", "modelDigest": digest("v1")}
    revision = {"revision": world.stable_revision, **version}
    assert first["action"] == "start"
    assert first["serving"] == {"canary": {**revision, "weight": 100}}
    assert (then["action"], then["reason"]) == ("promote", "FirstRevision")
    assert then["serving"] == {"stable": revision}


def test_a_rollback_is_recorded_with_all_that_it_rests_on() -> None:
    world = a_rollback()

    decision = last(world)
    (errors,) = decision["evidence"]
    assert (decision["action"], decision["reason"]) == ("rollback", "EvidenceOfHarm")
    assert decision["because"] == world.status["history"][-1]["because"]
    assert (decision["modelVersion"], decision["modelDigest"]) == ("v2", digest("v2"))
    assert decision["rollout"]["weight"] in (20, 50)
    assert errors["verdict"] == "Failed"
    assert float(errors["evidence"]) >= 1
    assert int(errors["canary"]["bad"]) > int(errors["stable"]["bad"])
    assert errors["canary"]["total"] > 0
    assert errors["stable"]["total"] > 0
    assert "state" not in errors
    assert list(decision["serving"]) == ["stable"]
    assert decision["deployment"]["uid"] == world.uid


def test_the_frozen_rules_are_in_the_record_of_the_beginning() -> None:
    world = a_rollback()

    begun = next(one for one in decisions(world) if one["reason"] == "RolloutStarted")
    rolled_back = last(world)
    assert begun["rules"]["steps"]
    assert begun["rollout"]["rulesHash"] == rolled_back["rollout"]["rulesHash"]
    assert begun["rollout"]["startedAt"] == rolled_back["rollout"]["startedAt"]
    assert "rules" not in rolled_back


def test_what_serves_is_recorded_when_it_changes_by_an_earlier_decision() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="settled")

    served = [one["because"] for one in decisions(world) if one["action"] == "serve"]
    v1, v2 = decisions(world)[1]["revision"], world.stable_revision
    assert served == [
        f"from now on stable {v1} (v1), canary {v2} (v2) at 20 %",
        f"from now on stable {v2} (v2)",
    ]


def test_scaling_to_zero_and_back_is_recorded_as_what_serves() -> None:
    world = serving_v1()
    world.applies(replicas=0)
    world.runs(10)
    at_zero = last(world)
    world.applies(replicas=2)
    world.runs(30)

    assert (at_zero["action"], at_zero["serving"]) == ("serve", {})
    assert list(last(world)["serving"]) == ["stable"]


def test_who_decided_is_recorded_and_whether_somebody_vouches_for_it() -> None:
    world = serving_v1(strategy=PAUSES)
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.says("promote")
    world.runs(60, until="settled")

    promoted = next(one for one in decisions(world)[2:] if one["action"] == "promote")
    assert promoted["actor"] == "ada"
    assert promoted["actorVerified"] is False


def test_what_people_ask_for_is_recorded_where_no_history_tells_it() -> None:
    world = serving_v1(strategy=PAUSES)
    world.serves_version("v2")
    world.runs(60, until="paused")
    for verb in ("pause", "resume", "abort"):
        world.says(verb)
        world.runs(5)
    world.says("retry")
    world.runs(5)

    told = [(one["action"], one["actor"]) for one in decisions(world) if one["actor"]]
    assert told == [("pause", "ada"), ("resume", "ada"), ("abort", "ada"), ("retry", "ada")]


def test_a_refused_request_is_no_decision() -> None:
    world = serving_v1()
    before = actions(world)
    world.says("promote")
    world.runs(5)

    assert actions(world) == before


def test_a_settled_deployment_records_nothing_more() -> None:
    world = serving_v1()
    before = dict(world.records)
    world.runs(300)

    assert world.records == before
    assert world.status["record"] == {
        "number": 2,
        "serving": f"stable {world.stable_revision} (v1)",
        "pending": [],
    }


def test_the_record_is_in_the_status_before_it_is_made() -> None:
    world = a_world()
    world.dies_after = 1
    world.one_pass()

    (pending,) = world.status["record"]["pending"]
    assert world.writes == ["status"]
    assert not world.records
    assert (pending["number"], pending["action"]) == (1, "start")


def test_a_record_that_a_crash_held_up_says_what_was_decided_then() -> None:
    world = a_rollback()
    told = world.records.popitem()
    number = int(told[0].rpartition("-")[2])
    entry = {
        "number": number,
        "action": "rollback",
        "revision": last(a_rollback())["revision"],
        "decision": told[1]["data"]["decision.json"],
    }
    world.status["record"]["pending"] = [entry]
    world.records_seen = {}
    world.status["analysis"] = []
    world.dirty = True
    world.runs(5)

    assert world.records[told[0]] == told[1]
    assert world.status["record"]["pending"] == []


def test_the_deployment_made_again_under_its_name_goes_on_counting() -> None:
    world = a_rollback()
    before = dict(world.records)
    world.status, world.objects, world.pods = {}, {}, []
    world.uid, world.spec = (
        "uid-of-another",
        {**world.spec, "model": {"versionRef": {"name": "v1"}}},
    )
    world.dirty = True
    world.runs(60, until="settled")

    numbers = [int(name.rpartition("-")[2]) for name, _ in world.recorded()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert before.items() <= world.records.items()
    assert {one["deployment"]["uid"] for one in decisions(world)} == {"uid-delay", "uid-of-another"}


def test_somebody_elses_object_is_left_alone_and_the_next_number_taken() -> None:
    world = serving_v1(strategy=PAUSES)
    theirs = {"data": {"mine": "yes"}}
    world.records["delay-record-3"] = theirs
    world.serves_version("v2")
    world.runs(60, until="paused")

    assert world.records["delay-record-3"] is theirs
    assert [name for name, _ in world.recorded()][2] == "delay-record-4"
    assert actions(world)[2:5] == ["start", "serve", "step"]
    assert any(
        reason == "NameConflict" and "`delay-record-3` exists and isn't ours" in message
        for _, reason, message in world.events
    )
    assert world.condition("Stalled") != ("True", "NameConflict")


def test_nothing_of_the_servers_environment_is_recorded() -> None:
    secret = "correct-horse-battery"
    world = a_world(server={"env": [{"name": "TOKEN", "value": secret}]})
    world.runs(60, until="settled")

    assert secret not in json.dumps(world.records)


def test_more_than_fits_is_recorded_by_its_verdicts_and_the_hash_of_its_rules() -> None:
    query = "x" * (4000)
    metrics = [
        {"name": f"queue-{number}", "prometheus": {"query": f"{query}{number}"}, "max": "9"}
        for number in range(14)
    ]
    world = serving_v1(strategy=PAUSES, analysis={**QUICK_ANALYSIS, "metrics": metrics})
    world.scalars = {f"{query}{number}": 1.0 for number in range(14)}
    world.serves_version("v2")
    world.runs(60, until="paused")

    begun = next(one for one in decisions(world) if one["reason"] == "RolloutStarted")
    assert len(json.dumps(metrics)) > RECORD_MAX_LENGTH
    assert "rules" not in begun
    assert begun["rollout"]["rulesHash"]


def test_what_cant_be_written_waits_in_a_bounded_status_and_the_rollout_goes_on() -> None:
    world = serving_v1(strategy=PAUSES)
    known, written = world._record_is_written, len(world.records)
    world._record_is_written = lambda _: False  # type: ignore[method-assign]
    for number in range(12):
        world.serves_version(f"w{number}")
        world.runs(30)
    pending = world.status["record"]["pending"]
    world._record_is_written = known  # type: ignore[method-assign]
    world.runs(5)

    newest = world.status["record"]["number"]
    assert len(pending) == PENDING_RECORDS_MAX
    assert pending[-1]["number"] == newest > PENDING_RECORDS_MAX + 2
    given_up = [message for _, reason, message in world.events if reason == "WriteRefused"]
    assert len(given_up) == pending[0]["number"] - 1 - written
    assert f"`delay-record-{pending[0]['number'] - 1}`" in given_up[-1]
    assert list(world.records)[-1] == f"delay-record-{newest}"
    assert world.status["record"]["pending"] == []
