"""What people and tools read: kstatus' conditions, phase and one line to act on."""

from serinus.reconcile.decision import EventType
from tests.support.deployment_world import Behaviour, World, a_world, serving_v1

PAUSED_AT = {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}


def conditions(world: World) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in world.status["conditions"]}


def test_the_first_word_about_readiness_is_unknown() -> None:
    world = a_world()

    world.one_pass()

    assert world.condition("Ready") == ("Unknown", "Progressing")
    assert world.condition("Reconciling") is not None


def test_settled_there_is_neither_reconciling_nor_stalled() -> None:
    assert conditions(serving_v1()) == {
        "Available": ("True", "Succeeded"),
        "ModelResolved": ("True", "ModelResolved"),
        "Promoted": ("True", "Promoted"),
        "Ready": ("True", "Succeeded"),
    }


def test_every_condition_speaks_of_the_generation_that_was_looked_at() -> None:
    world = serving_v1()
    world.applies(replicas=2)
    world.runs(10)

    assert world.status["observedGeneration"] == 2
    assert {one["observedGeneration"] for one in world.status["conditions"]} == {2}


def test_a_weight_that_whole_pods_can_t_give_is_said_with_what_would() -> None:
    world = serving_v1(strategy=PAUSED_AT)
    world.serves_version("v2")
    world.runs(60, until="paused")

    (approximated,) = [
        one for one in world.status["conditions"] if one["type"] == "WeightApproximated"
    ]
    assert approximated["status"] == "True"
    assert "20 % instead of 10 %" in approximated["message"]
    assert "9 pods give it exactly" in approximated["message"]
    assert world.canary["actualWeight"] == 20


def test_in_a_canary_the_message_says_where_it_is_and_what_it_waits_for() -> None:
    world = serving_v1(strategy=PAUSED_AT)
    world.serves_version("v2")
    world.runs(60, until="paused")

    message = world.status["message"]
    assert "(v2), step 2 of 2, 20 % of requests" in message
    assert "kubectl serinus promote" in message


def test_after_a_rollback_the_message_says_why_and_what_to_do() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.serves_version("v2")
    world.runs(120, until="rolled back")

    message = world.status["message"]
    assert "(v1) serves" in message
    assert "errors: canary" in message
    assert "`kubectl serinus retry`" in message
    assert world.condition("Available") == ("True", "Succeeded")
    assert world.condition("Promoted") == ("False", "EvidenceOfHarm")


def test_stable_that_lost_pods_is_said() -> None:
    world = serving_v1()
    world.behaviours["v1"] = Behaviour(starts=False)
    world.dirty = True
    world.runs(3)

    assert world.condition("Available") == ("False", "WaitingForPods")
    assert "0 of 4 pods of stable are ready" in world.status["message"]


def test_a_store_for_one_node_is_said() -> None:
    world = a_world()
    world.settings = type(world.settings)("jobs:1", "server:1")

    world.runs(5)

    assert world.condition("StoreShared") is not None
    assert world.condition("StoreShared")[0] == "False"


def test_what_stalls_is_an_event_once() -> None:
    world = serving_v1()
    world.applies(model={"channel": {"modelName": "delay", "alias": "champion"}})
    world.versions["v1"]["spec"]["aliases"] = ["champion"]
    world.versions["v2"] = {
        **world.versions["v1"],
        "metadata": {**world.versions["v1"]["metadata"], "name": "v2"},
    }
    decision = world.decision()
    world.runs(30)

    assert [reason for _, reason, _ in world.events].count("AliasConflict") == 2
    warnings = [one for one in decision.events if one.type is EventType.WARNING]
    assert [one.reason for one in warnings] == ["AliasConflict"]


def test_only_evidence_and_words_may_wait_to_be_written() -> None:
    world = serving_v1(strategy=PAUSED_AT)
    world.serves_version("v2")
    starting = world.decision().status_precedes_action
    world.runs(60, until="paused")
    world.runs(10)

    world.requests_are_answered()
    world.second += world.scrape_interval
    world.prometheus_scrapes()
    decision = world.decision()

    assert starting
    assert not decision.status_precedes_action
