"""Block `traffic`: what a user may write there."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from serinus.api.deployment import DeploymentSpec
from serinus.api.traffic import ReplicaTraffic, Traffic

MODEL = {"versionRef": {"name": "flights-1"}}


def test_left_out_nothing_is_chosen_so_that_the_operator_takes_the_number_of_pods() -> None:
    assert DeploymentSpec.model_validate({"model": MODEL}).traffic is None


def test_an_empty_object_chooses_the_number_of_pods() -> None:
    spec = DeploymentSpec.model_validate({"model": MODEL, "traffic": {"replicas": {}}})

    assert spec.traffic == Traffic(replicas=ReplicaTraffic())


def test_something_else_than_an_object_is_refused_with_its_place() -> None:
    with pytest.raises(ValidationError, match=r"(?s)traffic.replicas"):
        DeploymentSpec.model_validate({"model": MODEL, "traffic": {"replicas": 4}})


def test_a_gateway_is_named_with_its_listener() -> None:
    given = {"parentRefs": [{"name": "public", "namespace": "infra", "sectionName": "https"}]}
    spec = DeploymentSpec.model_validate({"model": MODEL, "traffic": {"gatewayAPI": given}})

    assert spec.traffic is not None
    assert spec.traffic.gateway_api is not None
    assert spec.traffic.gateway_api.parent_refs[0].section_name == "https"


@pytest.mark.parametrize("hostnames", [["Delay.example.org"], ["a b"], ["*.*.org"]])
def test_what_is_no_host_name_is_refused(hostnames: list[str]) -> None:
    gateway = {"parentRefs": [{"name": "public"}], "hostnames": hostnames}

    with pytest.raises(ValidationError, match=r"hostnames"):
        DeploymentSpec.model_validate({"model": MODEL, "traffic": {"gatewayAPI": gateway}})


def test_a_gateway_has_to_be_named() -> None:
    with pytest.raises(ValidationError, match=r"parentRefs"):
        DeploymentSpec.model_validate({"model": MODEL, "traffic": {"gatewayAPI": {}}})
