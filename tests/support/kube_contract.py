"""What every `Kube` does; run against the fake and against a real API server.

A class that inherits this gives the fixtures `kube` and `namespace` (one of its own).
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from serinus.api.enums import Kind
from serinus.cluster.errors import AlreadyExists, Conflict, Invalid, KubeError, NotFound
from serinus.cluster.ports import Kube
from serinus.cluster.resources import CHILDREN, OWNERS
from serinus.cluster.store import ref_of
from serinus.reconcile.decision import ObjectRef

Body = dict[str, Any]
SERVICES = next(resource for resource in CHILDREN if resource.kind == "Service")
DIGEST = "sha256:" + "0" * 64


def service(namespace: str, name: str = "front", **selector: str) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "serinus"},
        },
        "spec": {
            "selector": selector or {"app": "front"},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}],
        },
    }


def model_version(namespace: str, name: str = "delay-1") -> Body:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "modelName": "delay",
            "modelFormat": {"name": "serinus", "version": "1"},
            "storageUri": "file:///store/models/delay/0",
            "digest": DIGEST,
        },
    }


@contextlib.contextmanager
def refused(error: type[KubeError]) -> Iterator[None]:
    """Refused with exactly this error: a subclass of another meaning would be acted on wrongly."""
    with pytest.raises(KubeError) as caught:
        yield
    assert type(caught.value) is error, str(caught.value)


class KubeContract:
    """Tests by request; each has a namespace of its own."""

    async def test_a_created_object_has_uid_and_version(self, kube: Kube, namespace: str) -> None:
        made = await kube.create(service(namespace))

        assert made["metadata"]["uid"]
        assert made["metadata"]["resourceVersion"]
        assert (await kube.get(ref_of(made)))["metadata"]["uid"] == made["metadata"]["uid"]

    async def test_a_name_is_given_once(self, kube: Kube, namespace: str) -> None:
        await kube.create(service(namespace))

        with refused(AlreadyExists):
            await kube.create(service(namespace))

    async def test_what_is_missing_is_not_found(self, kube: Kube, namespace: str) -> None:
        nothing = ObjectRef("v1", "Service", namespace, "nothing")

        with refused(NotFound):
            await kube.get(nothing)
        with refused(NotFound):
            await kube.delete(nothing, uid="0", resource_version=None)

    async def test_an_object_without_name_is_invalid(self, kube: Kube, namespace: str) -> None:
        with refused(Invalid):
            await kube.create(service(namespace, name=""))

    async def test_apply_changes_what_it_names(self, kube: Kube, namespace: str) -> None:
        made = await kube.create(service(namespace, app="front", revision="1"))
        wanted = service(namespace, app="front")
        wanted["metadata"]["uid"] = made["metadata"]["uid"]

        answer = await kube.apply(wanted)

        assert answer["spec"]["selector"] == {"app": "front"}
        assert answer["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]

    async def test_apply_of_what_is_so_already_changes_nothing(
        self, kube: Kube, namespace: str
    ) -> None:
        made = await kube.create(service(namespace))
        wanted = service(namespace)
        wanted["metadata"]["uid"] = made["metadata"]["uid"]

        first = await kube.apply(wanted)
        second = await kube.apply(wanted)

        assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]

    async def test_apply_with_uid_never_makes_an_object(self, kube: Kube, namespace: str) -> None:
        wanted = service(namespace)
        wanted["metadata"]["uid"] = "0b9c2f0a-0000-4000-8000-000000000000"

        with refused(Conflict):
            await kube.apply(wanted)
        await kube.create(service(namespace))
        with refused(Conflict):
            await kube.apply(wanted)

    async def test_apply_with_an_old_version_is_a_conflict(
        self, kube: Kube, namespace: str
    ) -> None:
        made = await kube.create(service(namespace))
        other = service(namespace, app="other")
        other["metadata"]["uid"] = made["metadata"]["uid"]
        await kube.apply(other)
        late = service(namespace, app="late")
        late["metadata"] |= {
            "uid": made["metadata"]["uid"],
            "resourceVersion": made["metadata"]["resourceVersion"],
        }

        with refused(Conflict):
            await kube.apply(late)

    async def test_status_is_replaced_and_nothing_else(self, kube: Kube, namespace: str) -> None:
        made = await kube.create(model_version(namespace))
        status = {"phase": "Pending", "observedGeneration": 1}

        answer = await kube.replace(with_status(made, status), subresource="status")

        assert answer["status"]["phase"] == "Pending"
        assert answer["spec"] == made["spec"]
        assert answer["metadata"]["generation"] == made["metadata"]["generation"]

    async def test_of_an_object_that_nobody_looked_at_no_generation_was_observed(
        self, kube: Kube, namespace: str
    ) -> None:
        made = await kube.create({**model_version(namespace), "status": {"phase": "Ready"}})

        assert made["status"] == {"observedGeneration": -1}

    async def test_status_of_an_old_version_is_a_conflict(self, kube: Kube, namespace: str) -> None:
        made = await kube.create(model_version(namespace))
        await kube.replace(with_status(made, {"phase": "Pending"}), subresource="status")

        with refused(Conflict):
            await kube.replace(with_status(made, {"phase": "Ready"}), subresource="status")

    async def test_status_of_a_missing_object_is_not_found(
        self, kube: Kube, namespace: str
    ) -> None:
        made = await kube.create(model_version(namespace))
        await delete(kube, made)

        with refused(NotFound):
            await kube.replace(with_status(made, {"phase": "Pending"}), subresource="status")

    async def test_status_of_another_object_of_that_name_is_a_conflict(
        self, kube: Kube, namespace: str
    ) -> None:
        first = await kube.create(model_version(namespace))
        await delete(kube, first)
        await kube.create(model_version(namespace))

        with refused(Conflict):
            await kube.replace(with_status(first, {"phase": "Pending"}), subresource="status")

    async def test_a_delete_takes_only_the_object_that_was_meant(
        self, kube: Kube, namespace: str
    ) -> None:
        first = await kube.create(model_version(namespace))
        ref = ref_of(first)
        await delete(kube, first)
        second = await kube.create(model_version(namespace))

        with refused(Conflict):
            await kube.delete(ref, uid=first["metadata"]["uid"], resource_version=None)
        await kube.replace(with_status(second, {"phase": "Ready"}), subresource="status")
        with refused(Conflict):
            await kube.delete(
                ref,
                uid=second["metadata"]["uid"],
                resource_version=second["metadata"]["resourceVersion"],
            )
        assert (await kube.get(ref))["metadata"]["uid"] == second["metadata"]["uid"]

    async def test_lists_hold_what_is_selected_with_its_uid(
        self, kube: Kube, namespace: str
    ) -> None:
        ours = await kube.create(service(namespace, name="ours"))
        foreign = service(namespace, name="foreign")
        del foreign["metadata"]["labels"]
        await kube.create(foreign)
        version = await kube.create(model_version(namespace))

        services = await kube.list_metadata(SERVICES, namespace)
        versions = await kube.list_metadata(OWNERS[Kind.MODEL_VERSION], None)

        assert [one["metadata"]["uid"] for one in services] == [ours["metadata"]["uid"]]
        assert version["metadata"]["uid"] in [one["metadata"]["uid"] for one in versions]
        assert all("spec" not in one for one in (*services, *versions))


def with_status(body: Any, status: Body) -> Body:
    """The body of a status write as the applier sends it."""
    metadata = {
        name: body["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")
    }
    kind = {"apiVersion": body["apiVersion"], "kind": body["kind"]}
    return {**kind, "metadata": metadata, "status": status}


async def delete(kube: Kube, body: Any) -> None:
    await kube.delete(ref_of(body), uid=body["metadata"]["uid"], resource_version=None)
