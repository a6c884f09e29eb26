"""What serves is decided by who may promote or approve, also through a spec of ModelVersions."""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from serinus.api.enums import Kind
from tests.apiserver.test_crds import manifest
from tests.support.api_server import Answer, ApiServer
from tests.support.chart import bind, put

NAMESPACE = "releases"
VERSIONS = f"/apis/serinus.dev/v1alpha1/namespaces/{NAMESPACE}/modelversions"
POLICY_TIMEOUT_SECONDS = 60

SCIENTIST, MANAGER, PROMOTER = "sam", "mia", "pat"
NEEDS_APPROVAL = {"approval": {"required": True}}


@dataclass
class Person:
    """Somebody who applies manifests."""

    name: str
    server: ApiServer

    def creates(self, version: str, **spec: Any) -> Answer:
        body = manifest(Kind.MODEL_VERSION, spec, version)
        body["metadata"]["namespace"] = NAMESPACE
        return self.server.post(VERSIONS, body, user=self.name)

    def changes(self, version: str, **spec: Any) -> Answer:
        return self.server.patch(f"{VERSIONS}/{version}", {"spec": spec}, user=self.name)


@pytest.fixture(scope="module")
def people(api_server: ApiServer, chart: None) -> dict[str, Person]:
    """People with their roles, once the policy is in force."""
    assert api_server.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}).accepted
    promoting = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "promoting"},
        "rules": [
            {
                "apiGroups": ["serinus.dev"],
                "resources": ["modelversions"],
                "verbs": ["patch", "promote"],
            }
        ],
    }
    put(api_server, [promoting])
    bind(api_server, NAMESPACE, "serinus-data-scientist", SCIENTIST)
    bind(api_server, NAMESPACE, "serinus-release-manager", MANAGER)
    bind(api_server, NAMESPACE, "promoting", PROMOTER)
    people = {name: Person(name, api_server) for name in (SCIENTIST, MANAGER, PROMOTER)}
    deadline = time.monotonic() + POLICY_TIMEOUT_SECONDS
    while people[SCIENTIST].creates(f"try-{time.monotonic_ns()}", aliases=["a"]).accepted:
        assert time.monotonic() < deadline, "the policy isn't in force"
        time.sleep(0.2)
    return people


@pytest.fixture
def version(people: dict[str, Person], request: pytest.FixtureRequest) -> str:
    """A ModelVersion with an alias that waits for approval."""
    name = f"delay-{abs(hash(request.node.name)) % 10**8}"
    made = people[SCIENTIST].creates(name, **NEEDS_APPROVAL)
    assert made.accepted, made.message
    given = people[MANAGER].changes(name, aliases=["champion", "shadow"])
    assert given.accepted, given.message
    return name


@pytest.mark.parametrize(
    "aliases",
    [["champion"], ["champion", "shadow", "next"], [], None],
    ids=["one taken away", "one given", "all taken away", "the field left out"],
)
def test_who_may_not_promote_changes_no_alias(
    people: dict[str, Person], version: str, aliases: list[str] | None
) -> None:
    refused = people[SCIENTIST].changes(version, aliases=aliases)

    assert refused.code == 422
    assert f"spec.aliases: sam may not promote modelversions/{version}" in refused.message
    assert "ask for the release-manager role" in refused.message
    assert people[MANAGER].changes(version, aliases=aliases).accepted


def test_who_may_not_promote_makes_no_version_with_an_alias(people: dict[str, Person]) -> None:
    refused = people[SCIENTIST].creates("with-alias", aliases=["champion"])

    assert "spec.aliases: sam may not promote modelversions/with-alias" in refused.message


@pytest.mark.parametrize(
    "approval",
    [{"required": False}, {"required": None}, None],
    ids=["set to false", "left out", "approval left out"],
)
def test_who_may_not_approve_drops_no_approval(
    people: dict[str, Person], version: str, approval: dict[str, Any] | None
) -> None:
    for name in (SCIENTIST, PROMOTER):
        refused = people[name].changes(version, approval=approval)

        assert f"spec.approval.required: {name} may not approve" in refused.message
        assert "ask for the release-manager role" in refused.message
    assert people[MANAGER].changes(version, approval=approval).accepted


def test_who_may_promote_but_not_approve_moves_an_alias(
    people: dict[str, Person], version: str
) -> None:
    assert people[PROMOTER].changes(version, aliases=["champion"]).accepted


def test_all_else_is_the_data_scientist_s(people: dict[str, Person], version: str) -> None:
    person = people[SCIENTIST]
    path = f"{VERSIONS}/{version}"
    labelled = person.server.patch(path, {"metadata": {"labels": {"a": "b"}}}, user=SCIENTIST)

    assert labelled.accepted, labelled.message
    assert person.changes(version, aliases=["shadow", "champion"]).accepted
    assert person.creates(f"{version}-free").accepted
    assert person.changes(f"{version}-free", **NEEDS_APPROVAL).accepted
