"""The scenes in order: change the Deployment, watch, and note how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flights_demo import manifests, objects
from flights_demo.cluster import apply, in_thread, wait_for_pods
from flights_demo.look_around import metrics_in_words
from flights_demo.observer import NotInTime, Observer
from flights_demo.scenes import (
    DECISION_SECONDS_MAX,
    ENCORE,
    ENCORE_IS_TRAINED,
    FIRST,
    RELEASES,
    End,
    Scene,
)
from flights_demo.summary import SceneResult, with_traffic
from flights_demo.view import View
from flights_demo.world import Node, World
from serinus.api.enums import Action

_TRAINED = 420
_SETTLED = 60
_ANSWERED = 30
FIRST_SCENE_SECONDS_MIN = 2
_ENDS = {Action.PROMOTE: End.PROMOTED, Action.ROLLBACK: End.ROLLED_BACK}


async def told(
    observer: Observer, view: View, server_image: str, results: list[SceneResult], *, encore: bool
) -> None:
    """Play all scenes, and append what came of each as soon as it is over."""
    results.append(await first_scene(observer, view, server_image))
    for scene in RELEASES:
        results.append(await release(observer, view, scene))  # noqa: PERF401 (what is over counts)
    if encore:
        await observer.begin_scene(ENCORE_IS_TRAINED)
        await refused_leak(observer, view)
        results.append(await release(observer, view, ENCORE))
    await observer.begin_scene(replace(results[-1].scene, requests_per_second=0))
    await observer.pause(1)  # what is known of the callers is from before
    await observer.wait_for("every request has its end", all_are_answered, _ANSWERED)


def first_objects() -> list[manifests.JsonObject]:
    """From data to the first version that serves. The Deployment waits for its version."""
    return [
        manifests.feature_set(),
        manifests.example("training-job-schedule"),
        manifests.deployment(FIRST.version),
    ]


def other_objects() -> list[manifests.JsonObject]:
    """All that is released later."""
    return [
        manifests.example("training-job-boosted"),
        manifests.example("training-job-committee"),
        *manifests.short_haul(),
        *manifests.hours(),
    ]


async def first_scene(observer: Observer, view: View, server_image: str) -> SceneResult:
    """Scene a: the first version serves, and meanwhile all others are trained."""
    view.scene(FIRST, "From data to a model that answers; meanwhile all others are trained.")
    began = time.monotonic()
    await in_thread(apply, first_objects())
    await observer.wait_for(
        "the snapshot of flights", lambda now: is_ready(now.feature_sets, "flights"), _TRAINED
    )
    await in_thread(apply, other_objects())
    seen = await observer.wait_for(f"{FIRST.version} serves", serves_first, _TRAINED)
    serves_after = time.monotonic() - began
    await start_callers(view, seen, server_image)
    await observer.begin_scene(FIRST)
    await observer.wait_for("all versions are trained", all_are_trained, _TRAINED)
    await observer.pause(FIRST_SCENE_SECONDS_MIN)
    result = SceneResult(
        scene=FIRST,
        end=End.SERVES if serves_first(observer.world) else End.UNDECIDED,
        revision=seen.stable_revision,
        because="the first revision is stable when all its pods are ready",
        change_seconds=serves_after,
    )
    report = observer.world.traffic
    return with_traffic(result, report, stable=seen.stable_revision)


def serves_first(seen: World) -> bool:
    """Whether the first version serves with all its pods."""
    return seen.stable_version == FIRST.version and seen.condition("Available")


def all_are_trained(seen: World) -> bool:
    """Whether every version of the scenes exists; each is verified before it is released."""
    return all(scene.version in seen.model_versions for scene in RELEASES)


async def start_callers(view: View, seen: World, server_image: str) -> None:
    """Callers exist only once there is somebody to call."""
    assert seen.deployment is not None
    url = seen.deployment.status.url or f"http://{objects.DEPLOYMENT}"
    await in_thread(apply, objects.callers(server_image, url))
    await in_thread(wait_for_pods, "app=callers")
    callers = objects.CALLER_PODS * objects.CALLERS_PER_POD
    view.say(f"{callers} callers ask {FIRST.requests_per_second} times a second at {url}")


async def release(observer: Observer, view: View, scene: Scene) -> SceneResult:
    """One change of the Deployment, to its decision and the calm after it."""
    await observer.wait_for(
        f"{scene.version} is ready",
        lambda now: is_ready(now.model_versions, scene.version),
        _TRAINED,
    )
    before = await observer.wait_for("no rollout runs", is_settled, _SETTLED)
    view.scene(scene, f"{scene.version} has passed its gates and its verification.")
    await observer.begin_scene(scene)
    changed = datetime.now(UTC)
    await in_thread(apply, [manifests.deployment(scene.version)])
    result = await decided(observer, scene, changed)
    if result.end is End.UNDECIDED:
        await in_thread(apply, [manifests.deployment(before.stable_version)])
    # It isn't over when it is decided: pods drain, and callers leave them.
    await observer.wait_for("the other revision is gone", is_settled, _SETTLED)
    await observer.pause(1)
    return with_traffic(result, observer.world.traffic, stable=before.stable_revision)


async def decided(observer: Observer, scene: Scene, changed: datetime) -> SceneResult:
    """Wait for the promotion or rollback of the scene's version."""
    since = changed - timedelta(seconds=1)  # the API server's clock may be behind by a little
    traffic_began: list[datetime] = []
    revisions: list[str] = []

    def is_decided(now: World) -> bool:
        canary = now.deployment.status.canary if now.deployment else None
        if canary and canary.model_version == scene.version:
            revisions.append(canary.revision)
            if canary.traffic_started_at and not traffic_began:
                traffic_began.append(datetime.fromisoformat(canary.traffic_started_at))
        return now.decision(scene.version, since) is not None

    try:
        seen = await observer.wait_for(
            f"scene {scene.key} is decided", is_decided, DECISION_SECONDS_MAX
        )
    except NotInTime:
        revision = revisions[-1] if revisions else ""
        because = metrics_in_words(observer.world.analysis) or "nothing was measured"
        return SceneResult(scene, End.UNDECIDED, revision, f"no decision in time: {because}")
    entry = seen.decision(scene.version, since)
    assert entry is not None
    at = datetime.fromisoformat(entry.at)
    return SceneResult(
        scene=scene,
        end=_ENDS[Action(entry.action)],
        revision=entry.revision,
        because=entry.because,
        metrics=tuple(item.metric for item in seen.analysis if item.verdict == "Failed"),
        decided_at=at.timestamp(),
        change_seconds=(at - changed).total_seconds(),
        traffic_seconds=(at - traffic_began[0]).total_seconds() if traffic_began else None,
    )


async def refused_leak(observer: Observer, view: View) -> None:
    """The encore's first half: the leak check refuses the data; then it is switched off."""
    view.scene(ENCORE, "A window by schedule time holds the very flight that is asked about.")
    await in_thread(apply, list(manifests.peeking(leak_check=True)))
    seen = await observer.wait_for(
        "the leak check refuses flights-peeking",
        refuses_the_leak,
        _TRAINED,
    )
    view.say(f"refused: {seen.feature_sets['flights-peeking'].message}")
    await in_thread(apply, list(manifests.peeking(leak_check=False)))


def refuses_the_leak(seen: World) -> bool:
    """Whether the leak check has refused the window."""
    node = seen.feature_sets.get("flights-peeking")
    return node is not None and "FutureLeak" in node.reasons


def is_ready(nodes: Mapping[str, Node], name: str) -> bool:
    """Whether an object is there and may be used."""
    return name in nodes and nodes[name].phase == "Ready"


def all_are_answered(seen: World) -> bool:
    """Whether no caller waits: one that gives up does so only after seconds."""
    return seen.traffic.waiting == 0


def is_settled(seen: World) -> bool:
    """Whether no rollout runs and no pod of another revision is left."""
    status = seen.deployment.status if seen.deployment else None
    return bool(status and status.stable and not status.canary) and set(seen.pods) == {
        seen.stable_revision
    }
