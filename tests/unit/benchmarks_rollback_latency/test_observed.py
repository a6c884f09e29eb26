"""One rollout as watches show it: each moment counts once, and only in its order."""

from typing import Any

from benchmarks.rollback_latency.observed import SERVICE_OF_SLICE, Rollout

BAD, GOOD = "bbb", "aaa"


def status(*, canary: bool, action: str = "start") -> dict[str, Any]:
    found: dict[str, Any] = {"stable": {"revision": GOOD}, "history": [{"action": action}]}
    if canary:
        found["canary"] = {"revision": BAD}
    return {"kind": "Deployment", "metadata": {"name": "points"}, "status": found}


def service(revision: str | None) -> dict[str, Any]:
    selector = {"serinus.dev/revision": revision} if revision else {}
    return {"kind": "Service", "metadata": {"name": "points"}, "spec": {"selector": selector}}


def route(weight: int) -> dict[str, Any]:
    backends = [{"name": "points-aaa", "weight": 100 - weight}]
    if weight:
        backends.append({"name": "points-bbb", "weight": weight})
    rules = [{"name": "serinus", "backendRefs": backends}]
    return {"kind": "HTTPRoute", "metadata": {"name": "points"}, "spec": {"rules": rules}}


def endpoints(*, ready: bool, of: str = "points", pod: str = "points-bbb-x") -> dict[str, Any]:
    one = {"targetRef": {"name": pod}, "conditions": {"ready": ready}}
    metadata = {"name": f"{of}-1", "labels": {SERVICE_OF_SLICE: of}}
    return {"kind": "EndpointSlice", "metadata": metadata, "endpoints": [one]}


def played(*events: dict[str, Any]) -> Rollout:
    """Events that arrive one a second."""
    rollout = Rollout("points")
    for second, body in enumerate(events):
        rollout.take(body, float(second))
    return rollout


def test_a_rollback_by_pods_is_seen_from_its_status_to_its_last_endpoint() -> None:
    rollout = played(
        service(GOOD),
        status(canary=True),
        endpoints(ready=False),
        service(None),
        endpoints(ready=True),
        status(canary=False, action="rollback"),
        service(GOOD),
        endpoints(ready=False),
    )

    assert rollout.is_complete
    assert rollout.action == "rollback"
    assert (rollout.decided_at, rollout.weight_zero_at, rollout.unready_at) == (5.0, 6.0, 7.0)


def test_a_rollback_by_a_route_is_seen_from_its_weights() -> None:
    rollout = played(status(canary=True), route(0), route(5), route(30), route(0))

    assert rollout.weight_zero_at == 4.0
    assert not rollout.has_share


def test_before_the_canary_had_anything_nothing_was_taken_away() -> None:
    rollout = played(status(canary=True), service(GOOD), endpoints(ready=False))

    assert rollout.weight_zero_at is None
    assert rollout.unready_at is None


def test_what_comes_back_was_not_gone() -> None:
    rollout = played(
        status(canary=True),
        service(None),
        endpoints(ready=True),
        service(GOOD),
        endpoints(ready=False),
        service(None),
        endpoints(ready=True),
    )

    assert rollout.has_share
    assert rollout.unready_at is None


def test_the_end_of_another_rollout_is_not_this_one_s() -> None:
    other = status(canary=False, action="promote") | {"metadata": {"name": "points-2"}}

    assert played(status(canary=True), other).decided_at is None


def test_other_services_and_other_deployments_pods_say_nothing() -> None:
    rollout = played(
        status(canary=True),
        endpoints(ready=True, of="points-feedback"),
        endpoints(ready=False, of="points-feedback"),
        endpoints(ready=True, pod="points-aaa-y"),
        endpoints(ready=False, pod="points-aaa-y"),
    )

    assert rollout.unready_at is None
