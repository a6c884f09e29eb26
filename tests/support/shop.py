"""The smallest example and an imported model, applied one after the other to a living cluster."""

import itertools
from pathlib import Path
from typing import Any

import yaml

from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.reconcile.decision import ObjectRef
from tests.support.living_cluster import LivingKube, LivingWorld
from tests.support.mortal_kube import ProcessKilledError

EXAMPLES = Path(__file__).parents[2] / "hack" / "examples"
NAMESPACE = "shop"
APART_SECONDS = 20.0
UNTIL_ALL_EXPIRED_SECONDS = 90_000.0

MANIFESTS: dict[Kind, dict[str, Any]] = {
    Kind(manifest["kind"]): manifest
    for folder in ("minimal", "imported")
    for path in sorted((EXAMPLES / folder).glob("*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text())
}
ORDERS = tuple(itertools.permutations(Kind))
BACKWARDS = (Kind.DEPLOYMENT, Kind.MODEL_VERSION, Kind.TRAINING_JOB, Kind.FEATURE_SET)


def key_of(kind: Kind) -> ObjectRef:
    return ObjectRef(API_VERSION, kind.value, NAMESPACE, MANIFESTS[kind]["metadata"]["name"])


def apply_manifest(kube: LivingKube, kind: Kind) -> None:
    manifest = MANIFESTS[kind]
    kube.put({**manifest, "metadata": {**manifest["metadata"], "namespace": NAMESPACE}})


async def settled(world: LivingWorld, *, for_seconds: float) -> LivingWorld:
    """Work through; after a death a new process goes on with nothing but the cluster."""
    while True:
        try:
            await world.settle(for_seconds=for_seconds)
        except ProcessKilledError:
            world = world.restarted()
        else:
            return world


async def story(kube: LivingKube, order: tuple[Kind, ...]) -> LivingWorld:
    world = LivingWorld(kube=kube)
    for kind in order:
        apply_manifest(kube, kind)
        world = await settled(world, for_seconds=APART_SECONDS)
    return await settled(world, for_seconds=UNTIL_ALL_EXPIRED_SECONDS)


async def told(kube: LivingKube, order: tuple[Kind, ...]) -> LivingKube:
    """The story; afterwards a second look at everything writes nothing."""
    world = await story(kube, order)
    assert await world.full_pass() == []
    assert await world.restarted().full_pass() == []
    return kube


def status_of(kube: LivingKube, kind: Kind) -> dict[str, Any]:
    status: dict[str, Any] = kube.objects[key_of(kind)]["status"]
    return status


def condition(status: dict[str, Any], type_: str) -> tuple[str, str]:
    """Status and reason of a condition; what isn't there is False without a reason."""
    for one in status["conditions"]:
        if one["type"] == type_:
            return one["status"], one["reason"]
    return "False", ""
