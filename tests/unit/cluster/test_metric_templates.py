"""The library is read where it is needed, seldom, and it is never in the way."""

from datetime import datetime, timedelta
from typing import Any

from serinus.cluster.errors import Transient
from serinus.cluster.metric_templates import MAPS_MAX, READ_ANEW_AFTER_SECONDS, MetricTemplates
from serinus.reconcile.snapshot import TemplateMap
from tests.support.clock import EPOCH
from tests.support.fake_kube import FakeKube, Fault

SHARED = "serinus-system"
LABELS = {"serinus.dev/metric-templates": "true"}


def config_map(name: str, namespace: str = "flights", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS, **metadata},
        "data": {"queue": f"of {name}"},
    }


def deployment(namespace: str = "flights", **status: Any) -> dict[str, Any]:
    reference = {"name": "m", "templateRef": {"name": "queue"}}
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "delay", "namespace": namespace},
        "spec": {"analysis": {"metrics": [{"name": "e", "template": "error-rate"}, reference]}},
        "status": status,
    }


class Clock:
    """Stands still but for who moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)


class Reader:
    def __init__(self) -> None:
        self.kube, self.clock = FakeKube(), Clock()
        self.templates = MetricTemplates(self.kube, self.clock, shared_namespace=SHARED)

    def has(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            self.kube.put(body)


async def test_labelled_config_maps_of_both_namespaces_are_found_and_no_others() -> None:
    reader = Reader()
    reader.has(config_map("ours"), config_map("shipped", SHARED), config_map("x", "elsewhere"))
    reader.has(config_map("unlabelled", labels={}))

    seen = await reader.templates.seen(deployment())

    assert seen is not None
    assert seen.own == (TemplateMap("flights", "ours", {"queue": "of ours"}),)
    assert seen.shared == (TemplateMap(SHARED, "shipped", {"queue": "of shipped"}),)
    assert seen.problem is None


async def test_in_the_operator_s_own_namespace_each_is_found_once() -> None:
    reader = Reader()
    reader.has(config_map("shipped", SHARED))

    seen = await reader.templates.seen(deployment(SHARED))

    assert seen is not None
    assert ([one.name for one in seen.own], seen.shared) == (["shipped"], ())


async def test_nothing_is_asked_where_nothing_is_needed() -> None:
    reader = Reader()
    without = deployment() | {"spec": {"analysis": {"metrics": [{"template": "error-rate"}]}}}

    assert await reader.templates.seen(without) is None
    assert await reader.templates.seen(deployment(canary={"revision": "r"})) is None
    assert reader.kube.requests == []


async def test_what_was_read_is_shared_for_a_while_and_then_read_anew() -> None:
    reader = Reader()
    reader.has(config_map("ours"))
    await reader.templates.seen(deployment())
    asked = len(reader.kube.requests)
    await reader.templates.seen(deployment())
    again = len(reader.kube.requests)
    reader.has(config_map("second"))
    reader.clock.seconds += READ_ANEW_AFTER_SECONDS

    seen = await reader.templates.seen(deployment())

    assert again == asked
    assert seen is not None
    assert [one.name for one in seen.own] == ["ours", "second"]


async def test_what_can_t_be_read_is_a_reason_and_no_failure() -> None:
    reader = Reader()
    reader.kube.out_of_reach.add(SHARED)
    refused = await reader.templates.seen(deployment())
    reader.kube.out_of_reach.clear()
    reader.clock.seconds += READ_ANEW_AFTER_SECONDS
    error = Transient("GET", code=503, reason="ServiceUnavailable", message="later")
    reader.kube.faults.append(Fault("list", error))

    away = await reader.templates.seen(deployment())

    assert refused is not None
    assert f"in namespace `{SHARED}` can't be read (Forbidden" in (refused.problem or "")
    assert away is not None
    assert "can't be read (ServiceUnavailable: later)" in (away.problem or "")


async def test_a_namespace_full_of_them_isn_t_read() -> None:
    reader = Reader()
    reader.has(*(config_map(f"m{index}") for index in range(MAPS_MAX + 1)))

    seen = await reader.templates.seen(deployment())

    assert seen is not None
    assert "has 33 ConfigMaps" in (seen.problem or "")
    assert not [one for one in reader.kube.requests if one.operation == "get"]
