"""Who vouches for the person that a request names, as the cluster is right now."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from serinus.cluster.errors import error_of
from serinus.cluster.resources import POLICY, POLICY_BINDING, Resource
from serinus.cluster.vouching import AdmissionPolicy, NobodyVouches
from serinus.reconcile.decision import ObjectRef
from tests.support.fake_kube import FakeKube, Fault

NAME = "serinus-requests"
MADE_AT = "2026-03-01T12:00:00Z"


def ref(resource: Resource) -> ObjectRef:
    return ObjectRef(resource.api_version, resource.kind, "", NAME)


def installed(**binding: Any) -> FakeKube:
    """A server with the policy and, somewhat younger, its binding."""
    metadata = {"name": NAME, "creationTimestamp": "2026-02-01T12:00:00Z"}
    younger = {"name": NAME, "creationTimestamp": MADE_AT}
    spec = {"policyName": NAME, "validationActions": ["Deny"]} | binding
    return FakeKube(
        objects={
            ref(POLICY): {"metadata": metadata},
            ref(POLICY_BINDING): {"metadata": younger, "spec": spec},
        }
    )


async def test_the_policy_vouches_since_it_and_its_binding_are_there() -> None:
    since = await AdmissionPolicy(installed(), NAME).vouched_since()

    assert since == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("missing", [POLICY, POLICY_BINDING], ids=lambda one: one.kind)
async def test_nobody_vouches_once_one_of_the_two_is_gone(
    missing: Resource, caplog: pytest.LogCaptureFixture
) -> None:
    kube = installed()
    del kube.objects[ref(missing)]

    with caplog.at_level(logging.WARNING):
        assert await AdmissionPolicy(kube, NAME).vouched_since() is None
    assert "nobody vouches for actors" in caplog.messages


@pytest.mark.parametrize(
    "binding",
    [{"validationActions": ["Audit"]}, {"validationActions": []}, {"policyName": "another"}],
)
async def test_a_binding_that_denies_nothing_vouches_for_nobody(binding: dict[str, Any]) -> None:
    assert await AdmissionPolicy(installed(**binding), NAME).vouched_since() is None


@pytest.mark.parametrize(("code", "reason"), [(403, "Forbidden"), (503, "ServiceUnavailable")])
async def test_an_operator_that_may_not_look_goes_on_and_claims_nothing(
    code: int, reason: str
) -> None:
    kube = installed()
    kube.faults.append(Fault("get", error_of("GET", code, reason, "no")))

    assert await AdmissionPolicy(kube, NAME).vouched_since() is None


async def test_without_a_policy_nobody_vouches() -> None:
    assert await NobodyVouches().vouched_since() is None
