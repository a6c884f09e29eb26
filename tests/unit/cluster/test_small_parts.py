"""Parts of a few lines: errors, resources, keys, buckets, taken names, the machine's clock."""

import asyncio
import base64
from datetime import UTC

import pytest

from serinus.api.enums import Kind
from serinus.cluster.clock import SystemClock
from serinus.cluster.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Transient,
    error_of,
)
from serinus.cluster.resources import CHILDREN, OBSERVED, OWNERS, resource_of
from serinus.cluster.secret_key import with_random_key
from serinus.cluster.taken_names import RETRY_AFTER_SECONDS, TakenNames
from serinus.cluster.token_bucket import TokenBucket
from serinus.reconcile.decision import ObjectRef
from tests.support.clock import VirtualClock, run_in_virtual_time


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (401, "Unauthorized", Forbidden),
        (403, "Forbidden", Forbidden),
        (422, "Invalid", Invalid),
        (400, "BadRequest", Invalid),
        (415, "UnsupportedMediaType", Invalid),
        (408, "", Transient),
        (429, "TooManyRequests", Transient),
        (500, "InternalError", Transient),
        (504, "Timeout", Transient),
    ],
)
def test_an_answer_is_an_error_by_what_is_to_be_done(
    code: int, reason: str, expected: type[Exception]
) -> None:
    error = error_of("GET /x", code, reason, "why")

    assert type(error) is expected
    assert "GET /x" in str(error)
    assert "why" in str(error)


def test_paths_are_those_of_the_api() -> None:
    deployment, pod = OWNERS[Kind.DEPLOYMENT], resource_of("v1", "Pod")

    assert deployment.path("n", "x") == (
        "/apis/serinus.dev/v1alpha1/namespaces/n/modeldeployments/x"
    )
    assert pod.path() == "/api/v1/pods"
    assert deployment.label == "modeldeployments.serinus.dev"
    assert resource_of("apps/v1", "Deployment").plural == "deployments"


def test_only_what_is_ours_is_asked_for() -> None:
    assert all(one.label_selector or one.field_selector for one in CHILDREN)
    assert not any(one.label_selector or one.field_selector for one in OWNERS.values())
    assert "Secret" not in {one.kind for one in OBSERVED}


def test_a_key_is_random() -> None:
    keys = {with_random_key({"kind": "Secret"})["data"]["key"] for _ in range(50)}

    assert len(keys) == 50
    assert all(len(base64.b64decode(key)) == 32 for key in keys)


def test_a_bucket_lets_a_burst_pass_and_fills_again() -> None:
    async def scenario() -> None:
        bucket = TokenBucket(VirtualClock(), rate_per_second=0.1, burst=3)

        assert [bucket.take() for _ in range(4)] == [True, True, True, False]
        await asyncio.sleep(10.01)
        assert [bucket.take() for _ in range(2)] == [True, False]

    run_in_virtual_time(scenario())


def test_a_taken_name_is_due_after_its_time() -> None:
    async def scenario() -> None:
        taken = TakenNames(VirtualClock())
        owner, other = (ObjectRef("v1", "X", "n", name) for name in ("owner", "other"))
        name = ObjectRef("v1", "Service", "n", "name")
        taken.add(owner, name)

        assert taken.of(owner) == {name}
        assert not taken.of(other)
        assert not taken.due(owner)
        await asyncio.sleep(RETRY_AFTER_SECONDS)
        assert taken.due(owner) == {name}
        taken.discard(owner, name)
        assert not taken.of(owner)
        taken.discard(owner, name)

    run_in_virtual_time(scenario())


def test_the_machines_clock_is_the_one_of_the_loop() -> None:
    async def scenario() -> None:
        clock = SystemClock()

        assert clock.monotonic() == pytest.approx(asyncio.get_running_loop().time(), abs=1)
        assert clock.now().tzinfo is UTC

    asyncio.run(scenario())
