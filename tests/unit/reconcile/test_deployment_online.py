"""A release that would find no values to look up waits for them, and begins by itself."""

from typing import Any

import pytest

from serinus.api.deployment import DeploymentSpec
from serinus.reconcile.deployment_online import online_missing
from tests.support.deployment_world import World, model_version, serving_v1

ONLINE = {"onlineFeatures": [{"featureSetRef": {"name": "planes"}}]}


def feature_set(entities: int | None = None, **online: Any) -> dict[str, Any]:
    snapshot = {"digest": "sha256:1"} | ({} if entities is None else {"onlineEntities": entities})
    return {"spec": {"online": online or None}, "status": {"latestSnapshot": snapshot}}


WANTED = {"maxStaleness": "1h"}
CASES: list[tuple[str, dict[str, Any], str | None]] = [
    ("all is there", {"planes": feature_set(7, **WANTED)}, None),
    ("a table without a row is one", {"planes": feature_set(0, **WANTED)}, None),
    ("no FeatureSet", {"other": feature_set(7, **WANTED)}, "doesn't exist in this namespace"),
    ("no run yet", {"planes": {"spec": {"online": WANTED}}}, "waits until a run"),
    ("a run without a table", {"planes": feature_set(**WANTED)}, "waits until a run"),
    ("nobody asks for a table", {"planes": feature_set()}, "Set its `spec.online`"),
    (
        "the table is switched off",
        {"planes": feature_set(enabled=False, **WANTED)},
        "Set its `spec.online`",
    ),
    ("what can't be read", {"planes": {"spec": "text", "status": []}}, "Set its `spec.online`"),
]


@pytest.mark.parametrize(("seen", "told"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_missing(seen: dict[str, Any], told: str | None) -> None:
    spec = DeploymentSpec.model_validate({"model": {"versionRef": {"name": "v"}}, "server": ONLINE})

    problem = online_missing(spec, seen)

    if told is None:
        assert problem is None
    else:
        assert problem is not None
        assert problem.startswith("spec.server.onlineFeatures[0]: ")
        assert "`planes`" in problem
        assert told in problem


def test_who_looks_nothing_up_waits_for_nothing() -> None:
    assert online_missing(DeploymentSpec.model_validate({"model": {}}), {}) is None


def test_a_release_waits_for_the_table_while_what_serves_goes_on() -> None:
    world = serving_v1()
    before = world.workloads()
    world.applies(server=ONLINE)
    world.runs(30)

    assert world.canary is None
    assert world.condition("Reconciling") == ("True", "WaitingForOnlineTable")
    assert world.condition("Promoted") == ("False", "WaitingForOnlineTable")
    assert world.condition("Available") == ("True", "Succeeded")
    assert world.workloads() == before
    assert "FeatureSet `planes` doesn't exist" in world.status["message"]

    world.feature_sets["planes"] = feature_set(7, **WANTED)
    world.dirty = True  # the shell looks again at who looks it up
    world.runs(600, until="settled")
    assert len(world.workloads()) == len(before) + 1


def test_the_first_revision_waits_too() -> None:
    world = World(
        {"model": {"versionRef": {"name": "v1"}}, "server": ONLINE},
        versions={"v1": model_version("v1")},
        feature_sets={"planes": feature_set()},
    )
    world.runs(10)
    assert world.workloads() == {}
    assert world.condition("Ready") == ("Unknown", "WaitingForOnlineTable")

    world.feature_sets["planes"] = feature_set(0, **WANTED)
    world.dirty = True
    world.runs(60, until="settled")


def test_a_table_that_is_gone_again_takes_nothing_from_what_serves() -> None:
    world = serving_v1()
    world.feature_sets["planes"] = feature_set(7, **WANTED)
    world.applies(server=ONLINE)
    world.runs(600, until="settled")
    serving = world.workloads()

    del world.feature_sets["planes"]
    world.dirty = True
    world.runs(30)

    assert world.phase == "Healthy"
    assert world.workloads() == serving


def test_the_way_back_to_what_was_stable_lately_waits_for_no_table() -> None:
    world = serving_v1(strategy={"canary": {"steps": []}}, rollbackWindow={"revisions": 1})
    world.feature_sets["planes"] = feature_set(7, **WANTED)
    world.applies(server=ONLINE)
    world.runs(60, until="settled")
    world.serves_version("v2")
    world.runs(60, until="settled")

    del world.feature_sets["planes"]
    world.serves_version("v1")
    world.runs(60, until="settled")

    assert world.stable == "v1"
