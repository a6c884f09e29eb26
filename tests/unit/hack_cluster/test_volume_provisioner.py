"""Which claims get a volume, which volumes go."""

from typing import Any

import pytest

from native_cluster.volume_provisioner import (
    Settings,
    claims_to_fill,
    volume_for,
    volumes_to_delete,
)

OURS = "serinus.dev/local-volumes"
SETTINGS = Settings(
    server="https://10.0.0.1:6443",
    authority="ca.crt",
    certificate="me.crt",
    key="me.key",
    folder="/volumes",
    node="here",
    provisioner=OURS,
)


def claim(*, provisioner: str = OURS, **changes: Any) -> dict[str, Any]:
    metadata = {
        "namespace": "team",
        "name": "store",
        "uid": "1234",
        "annotations": {"volume.kubernetes.io/storage-provisioner": provisioner},
    }
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "standard",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {
        "metadata": metadata | changes.get("metadata", {}),
        "spec": spec | changes.get("spec", {}),
    }


def volume(*, phase: str = "Released", policy: str = "Delete", by: str = OURS) -> dict[str, Any]:
    return {
        "metadata": {"name": "pvc-1", "annotations": {"pv.kubernetes.io/provisioned-by": by}},
        "spec": {"persistentVolumeReclaimPolicy": policy},
        "status": {"phase": phase},
    }


def test_a_claim_of_our_class_gets_a_volume() -> None:
    assert claims_to_fill([claim()], [], OURS) == [claim()]


@pytest.mark.parametrize(
    "settled",
    [
        pytest.param(claim(provisioner="example.com/disk"), id="another's"),
        pytest.param(claim(metadata={"annotations": {}}), id="it isn't time yet"),
        pytest.param(claim(spec={"volumeName": "pvc-1"}), id="bound"),
        pytest.param(claim(metadata={"deletionTimestamp": "now"}), id="being deleted"),
    ],
)
def test_other_claims_get_none(settled: dict[str, Any]) -> None:
    assert claims_to_fill([settled], [], OURS) == []


def test_a_second_try_makes_no_second_volume() -> None:
    made = volume_for(claim(), SETTINGS)

    assert claims_to_fill([claim()], [made], OURS) == []


def test_a_volume_is_bound_to_its_claim_and_to_this_node() -> None:
    spec = volume_for(claim(), SETTINGS)["spec"]

    assert spec["claimRef"]["uid"] == "1234"
    assert spec["accessModes"] == ["ReadWriteMany"]
    assert spec["capacity"] == {"storage": "1Gi"}
    assert spec["local"] == {"path": "/volumes/pvc-1234"}
    terms = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["here"]


def test_a_volume_goes_when_its_claim_is_gone() -> None:
    assert volumes_to_delete([volume()], OURS) == [volume()]


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(volume(phase="Bound"), id="in use"),
        pytest.param(volume(policy="Retain"), id="to be retained"),
        pytest.param(volume(by="example.com/disk"), id="another's"),
    ],
)
def test_other_volumes_stay(kept: dict[str, Any]) -> None:
    assert volumes_to_delete([kept], OURS) == []
