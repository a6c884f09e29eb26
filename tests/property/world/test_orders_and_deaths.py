"""Four manifests in any order, with a death at any write: always the same end, nothing made twice.

The operator is whole but for HTTP and kopf; the cluster around it is in memory and runs Jobs and
pods. Between two manifests there is time enough to wait for the one that is still missing.
"""

import pytest

from serinus.api.enums import Kind
from tests.support.clock import run_in_virtual_time
from tests.support.living_cluster import LivingKube, LivingWorld, creates, end_state
from tests.support.shop import (
    APART_SECONDS,
    BACKWARDS,
    MANIFESTS,
    ORDERS,
    apply_manifest,
    condition,
    status_of,
    told,
)

UNDISTURBED = run_in_virtual_time(told(LivingKube(), BACKWARDS))
END, CREATES = end_state(UNDISTURBED), creates(UNDISTURBED)


def test_the_end_is_a_model_that_serves() -> None:
    assert set(MANIFESTS) == set(Kind)
    deployment = status_of(UNDISTURBED, Kind.DEPLOYMENT)

    for kind in Kind:
        assert condition(status_of(UNDISTURBED, kind), "Ready")[0] == "True", kind
    assert deployment["stable"]["modelVersion"] == "order-returns-1"
    assert deployment["replicas"] == len([one for one in END if one.startswith("Pod ")])
    assert CREATES["Job orders-snapshot-1"] == CREATES["Job order-returns-train-1"] == 1
    assert set(CREATES.values()) == {1}


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: ">".join(order))
def test_the_order_of_manifests_doesnt_matter(order: tuple[Kind, ...]) -> None:
    kube = run_in_virtual_time(told(LivingKube(), order))

    assert end_state(kube) == END
    assert creates(kube) == CREATES


def test_manifests_at_once_lead_to_the_same_end() -> None:
    async def scenario() -> LivingKube:
        kube = LivingKube()
        for kind in Kind:
            apply_manifest(kube, kind)
        return await told(kube, ())

    kube = run_in_virtual_time(scenario())

    assert end_state(kube) == END
    assert creates(kube) == CREATES


def test_what_is_missing_is_waited_for_by_name() -> None:
    async def scenario() -> None:
        kube = LivingKube()
        world = LivingWorld(kube=kube)
        apply_manifest(kube, Kind.DEPLOYMENT)
        apply_manifest(kube, Kind.TRAINING_JOB)
        await world.settle(for_seconds=APART_SECONDS)
        deployment = status_of(kube, Kind.DEPLOYMENT)
        training = status_of(kube, Kind.TRAINING_JOB)

        assert condition(deployment, "ModelResolved")[0] == "False"
        assert "`order-returns-1`" in deployment["message"]
        assert "`orders`" in training["message"]
        assert condition(deployment, "Stalled")[0] == "False"
        assert condition(training, "Stalled")[0] == "False"
        assert creates(kube) == {}

        apply_manifest(kube, Kind.FEATURE_SET)
        await world.settle(for_seconds=APART_SECONDS)

        assert status_of(kube, Kind.DEPLOYMENT)["stable"]["modelVersion"] == "order-returns-1"

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(UNDISTURBED.begun))
def test_a_death_at_any_write_changes_nothing(write: int, after_commit: bool) -> None:
    kube = LivingKube(kill_at=write, after_commit=after_commit)
    run_in_virtual_time(told(kube, BACKWARDS))

    assert kube.kill_at is None, "the process never died"
    assert end_state(kube) == END
    assert creates(kube) == CREATES
