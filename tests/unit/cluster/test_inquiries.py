"""Samples come between two passes, and nobody waits for them in between."""

import asyncio
import copy
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serinus.analysis.samples import Query, QueryFailure, QueryFailureKind, QueryResult
from serinus.api.conditions import format_time
from serinus.api.enums import Kind
from serinus.cluster import inquiries
from serinus.cluster.inquiries import Inquiries, in_a_thread
from serinus.cluster.store import ref_of
from serinus.reconcile.decision import Decision, ObjectRef
from serinus.reconcile.deployment import Look, look_at
from serinus.reconcile.snapshot import DeploymentSnapshot
from tests.support.clock import at_once, run_in_virtual_time
from tests.support.deployment_world import World, serving_v1
from tests.support.living_cluster import LivingKube, LivingWorld
from tests.support.shop import BACKWARDS, NAMESPACE, apply_manifest, key_of, settled, status_of

LATENCY_SECONDS = 2.0


class Provider:
    """Implements `MetricSource`: answers as the world's Prometheus, after a while or never."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[tuple[Query, ...]] = []
        self.given_up = 0
        self.hangs = False

    async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
        asked = tuple(queries)
        self.asked.append(asked)
        try:
            await (asyncio.Event().wait() if self.hangs else asyncio.sleep(LATENCY_SECONDS))
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return {query: self.world.answer(query) for query in asked}


def with_canary(version: str) -> World:
    world = serving_v1()
    world.serves_version(version)
    world.runs(60, until="canary has traffic")
    world.second += 1
    return world


class Desk:
    """Inquiries about one canary that has traffic, on a virtual clock."""

    def __init__(self) -> None:
        self.world = with_canary("v2")
        self.provider = Provider(self.world)
        self.woken: list[ObjectRef] = []
        self.inquiries = Inquiries(self.provider, self.woken.append, run=at_once)

    @property
    def snapshot(self) -> DeploymentSnapshot:
        return self.world.snapshot({})

    async def decide(
        self, snapshot: DeploymentSnapshot | None = None, *, after: int = 0
    ) -> Decision:
        now = self.world.now + timedelta(seconds=after)
        return await self.inquiries.decide(snapshot or self.snapshot, now)


def at_the_desk(scenario: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(Desk())

    run_in_virtual_time(run())


def changed(snapshot: DeploymentSnapshot, **metadata: Any) -> DeploymentSnapshot:
    resource: dict[str, Any] = copy.deepcopy(dict(snapshot.resource))
    resource["metadata"] |= metadata
    return replace(snapshot, resource=resource)


def test_without_queries_it_is_decided_at_once() -> None:
    async def scenario(desk: Desk) -> None:
        settled_world = serving_v1()

        decision = await desk.decide(settled_world.snapshot({}))

        assert decision.status is not None
        assert desk.provider.asked == []

    at_the_desk(scenario)


def test_a_pass_asks_and_the_one_after_the_answers_decides() -> None:
    async def scenario(desk: Desk) -> None:
        first = await desk.decide()
        await asyncio.sleep(LATENCY_SECONDS + 0.1)
        second = await desk.decide(after=2)

        assert first == Decision()
        assert desk.woken == [ref_of(desk.snapshot.resource)]
        assert len(desk.provider.asked) == 1
        assert second == desk.world.decision()

    at_the_desk(scenario)


def test_a_change_meanwhile_asks_no_second_time() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.decide()
        again = await desk.decide(changed(desk.snapshot, resourceVersion="another"), after=1)
        await asyncio.sleep(LATENCY_SECONDS + 0.1)
        decision = await desk.decide(changed(desk.snapshot, resourceVersion="another"), after=2)

        assert again == Decision()
        assert decision.status is not None
        assert len(desk.provider.asked) == 1

    at_the_desk(scenario)


def test_an_abort_waits_for_no_answer_and_gives_the_question_up() -> None:
    async def scenario(desk: Desk) -> None:
        desk.provider.hangs = True
        await desk.decide()
        await asyncio.sleep(0)
        desk.world.says("abort")
        decision = await desk.decide(after=1)
        await asyncio.sleep(0)

        assert decision.status is not None
        assert "canary" not in decision.status
        assert decision.status["history"][-1]["reason"] == "AbortedByUser"
        assert desk.provider.given_up == 1
        assert desk.woken == []

    at_the_desk(scenario)


def test_answers_for_another_canary_are_void() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.decide()
        await asyncio.sleep(LATENCY_SECONDS + 0.1)
        other = with_canary("v3")
        decision = await desk.decide(other.snapshot({}), after=2)
        await asyncio.sleep(0)

        assert decision == Decision()
        assert len(desk.provider.asked) == 2
        assert other.canary_revision in desk.provider.asked[1][0].promql

    at_the_desk(scenario)


def test_a_decision_is_made_as_of_the_moment_of_its_question() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.decide()
        await asyncio.sleep(LATENCY_SECONDS + 0.1)
        late = await desk.decide(after=600)

        assert late == desk.world.decision()

    at_the_desk(scenario)


def test_nobody_asks_for_an_object_that_is_gone() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.decide()
        await asyncio.sleep(0)
        desk.inquiries.forget(ref_of(desk.snapshot.resource))
        await asyncio.sleep(LATENCY_SECONDS + 0.1)

        assert desk.provider.given_up == 1
        assert desk.woken == []

    at_the_desk(scenario)


def test_a_source_with_a_bug_is_a_provider_that_does_not_answer() -> None:
    class Broken:
        async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
            raise ZeroDivisionError("a bug")

    async def scenario(desk: Desk) -> None:
        desk.inquiries = Inquiries(Broken(), desk.woken.append, run=at_once)
        await desk.decide()
        await asyncio.sleep(0.1)
        decision = await desk.decide()

        assert decision.status is not None
        assert desk.woken
        assert "Unreachable" in json.dumps(decision.status["analysis"])

    at_the_desk(scenario)


async def test_the_loop_goes_on_while_it_is_decided() -> None:
    """Else a Lease isn't renewed while what many pods counted is counted."""
    renewed = threading.Event()

    def decides(look: Look, answers: Mapping[Query, QueryResult]) -> Decision:
        assert renewed.wait(10)
        return Decision(requeue_after_seconds=1)

    asyncio.get_running_loop().call_soon(renewed.set)
    look = look_at(serving_v1().snapshot({}), datetime.now(UTC))

    assert await in_a_thread(decides, look, {}) == Decision(requeue_after_seconds=1)


async def test_decisions_are_made_in_threads_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several that count at once would take the loop's turns from it."""
    at_work, threads = threading.Lock(), set[int]()

    def decides(look: Look, answers: Mapping[Query, QueryResult]) -> Decision:
        assert at_work.acquire(blocking=False)
        threads.add(threading.get_ident())
        sum(range(500_000))  # others come meanwhile
        at_work.release()
        return Decision()

    desk = Desk()
    names = [f"delay-{number}" for number in range(8)]
    snapshots = [changed(desk.snapshot, name=name) for name in names]
    woken = asyncio.Queue[ObjectRef]()
    desk.inquiries = Inquiries(AnswersAtOnce(), woken.put_nowait)
    for snapshot in snapshots:
        await desk.decide(snapshot)
    for _ in snapshots:
        await woken.get()
    monkeypatch.setattr(inquiries, "decided", decides)

    await asyncio.gather(*(desk.decide(snapshot) for snapshot in snapshots))

    assert threading.get_ident() not in threads


class AnswersAtOnce:
    """Implements `MetricSource`: nothing was counted."""

    async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
        return dict.fromkeys(queries, ())


class HangingProvider:
    """Implements `MetricSource`: has no samples, and from `hangs` on no answers either."""

    def __init__(self) -> None:
        self.hangs = False
        self.hung = 0

    async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
        if self.hangs:
            self.hung += 1
            await asyncio.sleep(5)
            failure = QueryFailure(QueryFailureKind.TIMEOUT, "no answer within 5 s")
            return dict.fromkeys(queries, failure)
        return dict.fromkeys(queries, ())


def test_while_the_provider_hangs_an_abort_and_everybody_else_go_on_at_once() -> None:
    """One worker only: whoever held it would hold up all."""

    async def scenario() -> None:
        kube, provider = LivingKube(), HangingProvider()
        world = LivingWorld(kube=kube, metrics=provider)
        for kind in BACKWARDS:
            apply_manifest(kube, kind)
        await settled(world, for_seconds=60)
        deployment = kube.objects[key_of(Kind.DEPLOYMENT)]
        model = {"versionRef": {"name": "order-returns-imported"}}
        kube.put({**deployment, "spec": {**deployment["spec"], "model": model}})
        await settled(world, for_seconds=60)
        canary = status_of(kube, Kind.DEPLOYMENT)["canary"]
        assert canary["trafficStartedAt"]

        provider.hangs = True
        await settled(world, for_seconds=20)
        began = asyncio.get_running_loop().time()
        world.queue.add(key_of(Kind.DEPLOYMENT))
        await settled(world, for_seconds=0.5)
        _abort(kube, canary["revision"], world)
        _add_another(kube)
        await settled(world, for_seconds=0.5)

        assert provider.hung > 0
        assert asyncio.get_running_loop().time() - began <= 1.0
        assert "canary" not in status_of(kube, Kind.DEPLOYMENT)
        other = kube.objects[replace(key_of(Kind.FEATURE_SET), name="more-orders")]
        assert other["status"]["lastRun"]["name"] == "more-orders-snapshot-1"

    run_in_virtual_time(scenario())


def _abort(kube: LivingKube, revision: str, world: LivingWorld) -> None:
    deployment = kube.objects[key_of(Kind.DEPLOYMENT)]
    request = {
        "verb": "abort",
        "uid": deployment["metadata"]["uid"],
        "revision": revision,
        "nonce": "n1",
        "issuedAt": format_time(world.clock.now()),
        "actor": "ada",
    }
    annotations = {"serinus.dev/request": json.dumps(request)}
    kube.put({**deployment, "metadata": {**deployment["metadata"], "annotations": annotations}})


def _add_another(kube: LivingKube) -> None:
    feature_set = kube.objects[key_of(Kind.FEATURE_SET)]
    metadata = {"name": "more-orders", "namespace": NAMESPACE}
    kube.put({**feature_set, "metadata": metadata, "status": {}})
