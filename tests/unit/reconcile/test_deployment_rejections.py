"""A rejected revision isn't tried again until `retry`: whatever came after, was lost or cleared."""

from copy import deepcopy
from dataclasses import replace

import pytest

from serinus.api.deployment_status import DeploymentStatus, RejectedRevision
from serinus.reconcile.deployment_facts import Observed, Rejection
from serinus.reconcile.deployment_rejections import (
    rejection_of,
    with_rejections,
    with_retried,
)
from serinus.rollout.revision import REJECTED_MAX
from tests.support.deployment_world import World, model_version, serving_v1

pytestmark = pytest.mark.slow

PAUSED_AT_20 = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]}}


def after_rejections(*versions: str, **spec: object) -> World:
    """`v1` is stable; the canaries of these versions were aborted, one after the other."""
    world = serving_v1(strategy=PAUSED_AT_20, replicas=1, **spec)
    world.requests_per_second = 10
    for version in versions:
        world.serves_version(version)
        world.runs(30, until="paused")
        world.says("abort", nonce=version)
        world.runs(5)
    return world


def revision_of(world: World, version: str) -> str:
    """The revision that came of a version."""
    return next(
        body["data"]["revision"]
        for body in world.objects.values()
        if body["kind"] == "ControllerRevision" and body["data"].get("modelVersion") == version
    )


def is_blocked(world: World, version: str) -> bool:
    """Whether a person who asks for the version is told no, and no pod of it starts."""
    started = world.pods_made
    world.serves_version(version)
    world.runs(20)
    told = world.condition("Stalled") or ("", "")
    return (
        told[0] == "True"
        and told[1] in ("RevisionRejectedBefore", "AbortedByUser")
        and (world.stable, world.canary) == ("v1", None)
        and world.pods_made == started
    )


def test_after_as_many_others_as_the_status_has_room_for() -> None:
    versions = [f"v{number}" for number in range(2, REJECTED_MAX + 4)]
    world = after_rejections(*versions, revisionHistoryLimit=100)

    assert len(world.status["rejectedRevisions"]) == REJECTED_MAX
    assert "v2" not in {one["modelVersion"] for one in world.status["rejectedRevisions"]}
    assert is_blocked(world, "v2")


def test_after_the_status_was_lost() -> None:
    world = after_rejections("v2", "v3")
    listed = world.status["rejectedRevisions"]

    world.status = {}
    world.dirty = True
    world.runs(10)

    assert world.status["rejectedRevisions"] == listed
    assert is_blocked(world, "v2")
    assert "(AbortedByUser)" in world.status["message"]


def test_after_its_workload_was_cleared_away_and_the_default_image_is_another_one() -> None:
    world = after_rejections("v2", "v3", "v4", revisionHistoryLimit=1)
    world.serves_version("v1")
    world.runs(30)
    first = revision_of(world, "v2")
    cleared = first not in world.workloads()

    world.settings = replace(world.settings, server_image="server:2")

    assert cleared
    assert is_blocked(world, "v2")


def test_under_another_name() -> None:
    world = after_rejections("v2")
    world.versions["twin"] = model_version("twin", digest=world.versions["v2"]["spec"]["digest"])

    assert is_blocked(world, "twin")


def test_a_retry_is_heard_for_each_of_them_and_holds_when_the_status_is_lost_after_it() -> None:
    versions = [f"v{number}" for number in range(2, REJECTED_MAX + 4)]
    world = after_rejections(*versions, revisionHistoryLimit=100)
    world.serves_version("v2")
    world.runs(5)
    world.says("retry", revision=revision_of(world, "v2"))
    world.runs(30, until="paused")
    tried = world.canary["modelVersion"]

    world.status = {}
    world.annotations = {}
    world.dirty = True
    world.runs(30, until="paused")

    assert tried == "v2"
    assert world.canary["modelVersion"] == "v2"
    assert world.status["retriedRevisions"] == []


def test_what_is_tried_again_and_rejected_again_stays_so() -> None:
    world = after_rejections("v2")
    world.says("retry", revision=revision_of(world, "v2"))
    world.runs(30, until="paused")
    world.says("abort", nonce="again")
    world.runs(10)

    assert is_blocked(world, "v2")


def test_a_retry_that_dies_at_any_write_is_a_retry_or_none() -> None:
    given = after_rejections("v2")
    given.says("retry", revision=revision_of(given, "v2"))

    for doomed in range(6):
        world = deepcopy(given)
        world.dies_after = doomed
        world.runs(60, until="paused")

        assert world.canary["modelVersion"] == "v2", f"killed before write {doomed}"
        assert world.status["rejectedRevisions"] == []
        assert not [ref for ref in world.objects if ref.name.endswith("-rejected")]


def rejected(revision: str, at: str) -> RejectedRevision:
    return RejectedRevision(revision=revision, reason="EvidenceOfHarm", at=at)


def recorded(*items: RejectedRevision) -> Observed:
    return Observed(
        rejections={item.revision: Rejection(item, f"x-{item.revision}", "uid") for item in items}
    )


def test_the_status_is_filled_up_with_the_newest_that_are_on_record() -> None:
    shown = [rejected(f"s{number}", "2026-03-01T00:00:00Z") for number in range(REJECTED_MAX - 1)]
    seen = recorded(
        rejected("old", "2026-01-01T00:00:00Z"), rejected("new", "2026-02-01T00:00:00Z")
    )

    status = with_rejections(DeploymentStatus(rejected_revisions=shown), seen)

    assert [item.revision for item in status.rejected_revisions[:2]] == ["new", "s0"]
    assert len(status.rejected_revisions) == REJECTED_MAX
    assert with_rejections(status, seen) == status
    assert rejection_of("old", status, seen) is not None


def test_a_retry_is_over_once_the_record_is_gone() -> None:
    item = rejected("a", "2026-03-01T00:00:00Z")
    status = with_retried(DeploymentStatus(rejected_revisions=[item]), "a")

    assert rejection_of("a", status, recorded(item)) is None
    assert with_rejections(status, recorded(item)).retried_revisions == ["a"]
    assert with_rejections(status, recorded()).retried_revisions == []
