"""Whatever name of ours a foreign object bears: it stays as it is, and who wanted the name says so.

Once it is gone, everything goes on to the end that it would have had. Claims and Secrets are left
out: a person may bring them, and theirs are used as they are; so are versions, because trained
ones are numbered above those that exist, and records, which take the next number.
"""

import copy
from typing import Any

import pytest

from serinus.api.schema_model import API_VERSION
from serinus.reconcile.decision import ObjectRef
from tests.support.clock import run_in_virtual_time
from tests.support.living_cluster import LivingKube, LivingWorld, creates, end_state
from tests.support.shop import (
    APART_SECONDS,
    BACKWARDS,
    apply_manifest,
    condition,
    told,
)

UNDISTURBED = run_in_virtual_time(told(LivingKube(), BACKWARDS))
MADE = {
    ref
    for ref in UNDISTURBED.made
    if f"{ref.kind} {ref.name}" in creates(UNDISTURBED)
    and ref.kind not in ("PersistentVolumeClaim", "Secret", "ModelVersion")
    and "-record-" not in ref.name
}
RECORDS = sorted(ref for ref in UNDISTURBED.made if "-record-" in ref.name)
UNTIL_FREE_SECONDS = 60.0
"""A name is looked at again every 30 seconds."""


def foreign(ref: ObjectRef) -> dict[str, Any]:
    metadata = {"name": ref.name, "namespace": ref.namespace, "labels": {"app": "theirs"}}
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, "spec": {}}


def stalled(kube: LivingKube) -> list[str]:
    """Messages of those of our objects that say `Stalled=NameConflict`."""
    statuses = [
        body["status"] for ref, body in kube.objects.items() if ref.api_version == API_VERSION
    ]
    return [
        status["message"]
        for status in statuses
        if condition(status, "Stalled") == ("True", "NameConflict")
    ]


def recorded_actions(kube: LivingKube) -> list[str]:
    """Actions of all records, in order of their numbers."""
    labels = [
        body["metadata"].get("labels", {})
        for ref, body in kube.objects.items()
        if "-record-" in ref.name
    ]
    ours = [one for one in labels if "serinus.dev/record" in one]
    numbered = sorted(ours, key=lambda one: int(one["serinus.dev/record"]))
    return [one["serinus.dev/record-action"] for one in numbered]


@pytest.mark.parametrize("ref", sorted(MADE), ids=lambda ref: f"{ref.kind} {ref.name}")
def test_a_foreign_object_under_a_name_of_ours_is_untouched_and_told(ref: ObjectRef) -> None:
    async def scenario() -> LivingKube:
        kube = LivingKube()
        kube.put({**foreign(ref), "status": {"observedGeneration": 1}})
        before = copy.deepcopy(kube.objects[ref])
        world = LivingWorld(kube=kube)
        for kind in BACKWARDS:
            apply_manifest(kube, kind)
        await world.settle(for_seconds=3 * APART_SECONDS)

        assert kube.objects[ref] == before
        [message] = stalled(kube)
        assert f"{ref.kind} `{ref.name}`" in message

        kube.remove(ref)
        del kube.made[ref]
        await world.settle(for_seconds=UNTIL_FREE_SECONDS)
        return await told(kube, ())

    kube = run_in_virtual_time(scenario())

    assert end_state(kube) == end_state(UNDISTURBED)
    assert creates(kube) == creates(UNDISTURBED)


def test_decisions_are_recorded_beside_a_foreign_object_under_the_name_of_a_record() -> None:
    first = RECORDS[0]

    async def scenario() -> LivingKube:
        kube = LivingKube()
        kube.put(foreign(first))
        before = copy.deepcopy(kube.objects[first])
        world = LivingWorld(kube=kube)
        for kind in BACKWARDS:
            apply_manifest(kube, kind)
        await world.settle(for_seconds=6 * APART_SECONDS)

        assert kube.objects[first] == before
        return kube

    kube = run_in_virtual_time(scenario())

    assert recorded_actions(kube) == recorded_actions(UNDISTURBED)
    assert stalled(kube) == []
    assert any(
        f"ConfigMap `{first.name}` exists and isn't ours" in body.get("note", "")
        for body in kube.objects.values()
    )
