"""Records of decisions are written by the operator alone; who edits ConfigMaps edits none."""

import time
from typing import Any

import pytest

from serinus.api.deployment_status import PendingRecord
from serinus.manifests.decision_record import make_decision_record
from tests.support.api_server import ApiServer
from tests.support.chart import bind, put

NAMESPACE = "audited"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
OPERATOR, EDITOR = "system:serviceaccount:mlops:serinus-of-team-a", "sam"
POLICY_TIMEOUT_SECONDS = 60


def record(number: int) -> dict[str, Any]:
    pending = PendingRecord(number=number, action="rollback", decision="{}")
    return make_decision_record("delay", NAMESPACE, pending)


@pytest.fixture(scope="module")
def server(api_server: ApiServer, chart: None) -> ApiServer:
    """The API server once the policy is in force, with two who may do all with ConfigMaps."""
    assert api_server.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}).accepted
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    for name, group, resource, verb in (
        ("config-maps", "", "configmaps", "*"),
        ("recording", "serinus.dev", "modeldeployments", "record"),
    ):
        rule = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        put(api_server, [{**role, "metadata": {"name": name}, "rules": [rule]}])
    bind(api_server, NAMESPACE, "config-maps", EDITOR)
    bind(api_server, NAMESPACE, "config-maps", OPERATOR)
    bind(api_server, NAMESPACE, "recording", OPERATOR)
    deadline = time.monotonic() + POLICY_TIMEOUT_SECONDS
    number = 1000
    while (answer := api_server.post(CONFIG_MAPS, record(number), user=EDITOR)).code != 422:
        assert time.monotonic() < deadline, f"the policy isn't in force: {answer.message}"
        number += 1
        time.sleep(0.2)
    return api_server


def test_who_holds_the_right_makes_records_of_any_release(
    server: ApiServer,
) -> None:
    made = server.post(CONFIG_MAPS, record(1), user=OPERATOR)

    assert made.accepted, made.message


def test_nobody_else_forges_one(server: ApiServer) -> None:
    refused = server.post(CONFIG_MAPS, record(2), user=EDITOR)

    assert "records of decisions are written by Serinus, not by sam" in refused.message


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"labels": {"serinus.dev/record-of": None}}},
        {"metadata": {"labels": {"serinus.dev/record": "7"}}},
        {"data": {"decision.json": "{}, or not"}},
    ],
    ids=["hidden from who looks for it", "given another number", "with another content"],
)
def test_a_record_stays_as_it_is(server: ApiServer, change: dict[str, Any]) -> None:
    name = f"delay-record-{3 + len(str(change))}"
    body = record(3 + len(str(change)))
    assert server.post(CONFIG_MAPS, body, user=OPERATOR).accepted

    refused = server.patch(f"{CONFIG_MAPS}/{name}", change, user=EDITOR)

    assert not refused.accepted
    assert "serinus" in refused.message.lower() or "immutable" in refused.message


def test_other_config_maps_are_nobodys_matter(server: ApiServer) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "mine"},
        "data": {"a": "b"},
    }

    assert server.post(CONFIG_MAPS, body, user=EDITOR).accepted
    assert server.patch(f"{CONFIG_MAPS}/mine", {"data": {"a": "c"}}, user=EDITOR).accepted
