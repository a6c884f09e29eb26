"""An API server in memory. The contract tests hold it to what the real one does."""

import asyncio
import copy
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from serinus.api.schema_model import GROUP
from serinus.cluster.coverage import ATOMIC_MAPS
from serinus.cluster.errors import KubeError, error_of
from serinus.cluster.resources import Resource
from serinus.cluster.store import WatchEvent, ref_of
from serinus.reconcile.decision import JsonObject, ObjectRef

Body = dict[str, Any]
Observer = Callable[[WatchEvent, JsonObject], None]


@dataclass(frozen=True)
class Write:
    """A write that was carried out."""

    operation: str
    ref: ObjectRef


@dataclass
class Fault:
    """What goes wrong with the next matching request, before or after it is carried out."""

    operation: str
    error: Exception
    kind: str | None = None
    after_commit: bool = False


@dataclass
class FakeKube:
    """Implements `Kube`. What changes is told to `observers`, as by a watch, while `watching`."""

    objects: dict[ObjectRef, Body] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    requests: list[Write] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)
    watching: bool = True
    out_of_reach: set[str] = field(default_factory=set)
    """Namespaces in which the operator has no rights."""
    latency_seconds: float = 0.0
    _version: int = 0

    # The port

    async def list_metadata(
        self, resource: Resource, namespace: str | None
    ) -> tuple[JsonObject, ...]:
        await self._begin("list", ObjectRef(resource.api_version, resource.kind, "", ""))
        if namespace in self.out_of_reach:
            raise error_of("GET", 403, "Forbidden", f"cannot list in {namespace}")
        return tuple(
            {"metadata": copy.deepcopy(body["metadata"])}
            for ref, body in sorted(self.objects.items())
            if (ref.api_version, ref.kind) == (resource.api_version, resource.kind)
            and namespace in (None, ref.namespace)
            and is_selected(resource, body)
        )

    async def get(self, ref: ObjectRef) -> JsonObject:
        await self._begin("get", ref)
        return copy.deepcopy(self._existing("GET", ref))

    async def create(self, body: JsonObject) -> JsonObject:
        ref = ref_of(body)
        await self._begin("create", ref)
        if not ref.name or not ref.namespace:
            raise error_of("POST", 422, "Invalid", "metadata.name: Required value")
        if ref in self.objects:
            raise error_of("POST", 409, "AlreadyExists", f"{ref.kind} {ref.name} already exists")
        if body["metadata"].get("resourceVersion"):
            raise error_of("POST", 400, "BadRequest", "resourceVersion should not be set")
        stored = copy.deepcopy(dict(body))
        if _has_status(ref):
            stored["status"] = {"observedGeneration": -1}  # the default of our schemas
        stored["metadata"] |= {"uid": str(uuid.uuid4()), "generation": 1}
        return self._commit("create", ref, stored, WatchEvent.ADDED)

    async def apply(self, body: JsonObject) -> JsonObject:
        ref, metadata = ref_of(body), body["metadata"]
        await self._begin("apply", ref)
        if ref not in self.objects:
            if metadata.get("uid") or metadata.get("resourceVersion"):
                raise error_of("PATCH", 409, "Conflict", "the object doesn't exist")
            return await self.create(body)
        stored = self.objects[ref]
        self._check(stored, metadata.get("uid"), metadata.get("resourceVersion"))
        return self._update("apply", ref, _merged(stored, _without_status(body)))

    async def replace(self, body: JsonObject, *, subresource: str | None = None) -> JsonObject:
        ref, metadata = ref_of(body), body["metadata"]
        await self._begin("replace", ref)
        stored = self._existing("PUT", ref)
        self._check(stored, metadata.get("uid"), metadata.get("resourceVersion"))
        if subresource == "status":
            new = {**stored, "status": copy.deepcopy(body.get("status"))}
        else:
            kept = {name: stored["metadata"][name] for name in ("uid", "generation")}
            new = {
                **copy.deepcopy(dict(body)),
                "metadata": {**copy.deepcopy(metadata), **kept},
            }
        return self._update("replace", ref, new)

    async def delete(self, ref: ObjectRef, *, uid: str, resource_version: str | None) -> None:
        await self._begin("delete", ref)
        self._check(self._existing("DELETE", ref), uid, resource_version)
        self.remove(ref)
        self.writes.append(Write("delete", ref))
        self._fail_after("delete", ref)

    # What others do

    def put(self, body: JsonObject) -> Body:
        """Somebody else makes or changes an object; status and all."""
        ref, new = ref_of(body), copy.deepcopy(dict(body))
        old = self.objects.get(ref)
        if old is None:
            new["metadata"] = {"uid": str(uuid.uuid4()), "generation": 1, **new["metadata"]}
            return self._store(ref, new, WatchEvent.ADDED)
        grown = old.get("spec") != new.get("spec")
        generation = old["metadata"]["generation"] + grown
        new["metadata"] |= {"uid": old["metadata"]["uid"], "generation": generation}
        return self._store(ref, new, WatchEvent.MODIFIED)

    def remove(self, ref: ObjectRef) -> None:
        """The object goes, and what it controls is collected."""
        gone = self.objects.pop(ref)
        self._version += 1
        gone["metadata"]["resourceVersion"] = str(self._version)
        self._tell(WatchEvent.DELETED, gone)
        for child in [one for one in self.objects if self._is_owned(one, gone["metadata"]["uid"])]:
            self.remove(child)

    def relist(self) -> None:
        """What a watch says first, or after it was cut."""
        for body in list(self.objects.values()):
            self._tell(WatchEvent.LISTED, body)

    def of_kind(self, kind: str) -> Iterator[Body]:
        """Objects of a kind, by name."""
        return (body for ref, body in sorted(self.objects.items()) if ref.kind == kind)

    # Inside

    async def _begin(self, operation: str, ref: ObjectRef) -> None:
        self.requests.append(Write(operation, ref))
        await asyncio.sleep(self.latency_seconds)
        fault = self._fault(operation, ref, after_commit=False)
        if fault is not None:
            raise fault.error

    def _fail_after(self, operation: str, ref: ObjectRef) -> None:
        fault = self._fault(operation, ref, after_commit=True)
        if fault is not None:
            raise fault.error

    def _fault(self, operation: str, ref: ObjectRef, *, after_commit: bool) -> Fault | None:
        for fault in self.faults:
            if (fault.operation, fault.after_commit) == (operation, after_commit) and (
                fault.kind in (None, ref.kind)
            ):
                self.faults.remove(fault)
                return fault
        return None

    def _existing(self, method: str, ref: ObjectRef) -> Body:
        if ref not in self.objects:
            raise error_of(method, 404, "NotFound", f"{ref.kind} {ref.name} not found")
        return self.objects[ref]

    def _check(self, stored: Body, uid: str | None, version: str | None) -> None:
        metadata = stored["metadata"]
        if (uid and uid != metadata["uid"]) or (version and version != metadata["resourceVersion"]):
            raise error_of("PUT", 409, "Conflict", "the object has been modified")

    def _update(self, operation: str, ref: ObjectRef, new: Body) -> Body:
        stored = self.objects[ref]
        if _comparable(new) == _comparable(stored):
            self.writes.append(Write(operation, ref))
            return copy.deepcopy(stored)
        if new.get("spec") != stored.get("spec"):
            new["metadata"]["generation"] = stored["metadata"]["generation"] + 1
        return self._commit(operation, ref, new, WatchEvent.MODIFIED)

    def _commit(self, operation: str, ref: ObjectRef, body: Body, event: WatchEvent) -> Body:
        answer = self._store(ref, body, event)
        self.writes.append(Write(operation, ref))
        self._fail_after(operation, ref)
        return answer

    def _store(self, ref: ObjectRef, body: Body, event: WatchEvent) -> Body:
        self._version += 1
        body["metadata"] = {**body["metadata"], "resourceVersion": str(self._version)}
        self.objects[ref] = body
        self._tell(event, body)
        return copy.deepcopy(body)

    def _tell(self, event: WatchEvent, body: JsonObject) -> None:
        if self.watching:
            for observer in self.observers:
                observer(event, copy.deepcopy(body))

    def _is_owned(self, ref: ObjectRef, uid: str) -> bool:
        if ref not in self.objects:
            return False
        references = self.objects[ref]["metadata"].get("ownerReferences", ())
        return any(reference["uid"] == uid for reference in references)


def is_selected(resource: Resource, body: JsonObject) -> bool:
    """Whether a watch of the resource would tell of the object."""
    if resource.label_selector:
        key, _, value = resource.label_selector.partition("=")
        if (body["metadata"].get("labels") or {}).get(key) != value:
            return False
    if resource.field_selector:
        return bool(resource.field_selector == f"metadata.name={body['metadata']['name']}")
    return True


def _has_status(ref: ObjectRef) -> bool:
    return ref.api_version.partition("/")[0] == GROUP


def _without_status(body: JsonObject) -> Body:
    return {key: copy.deepcopy(value) for key, value in body.items() if key != "status"}


def _comparable(body: Mapping[str, Any]) -> Body:
    metadata = {
        key: value
        for key, value in body["metadata"].items()
        if key not in ("resourceVersion", "generation")
    }
    return {**body, "metadata": metadata}


def _merged(stored: Any, applied: Any, key: str = "") -> Any:
    """`applied` over `stored`: maps by key, named items by name, the rest replaced as a whole."""
    if isinstance(stored, dict) and isinstance(applied, dict):
        if key in ATOMIC_MAPS and all(isinstance(value, str) for value in applied.values()):
            return applied
        ignored = {"resourceVersion"} if key == "metadata" else set()
        return stored | {
            name: _merged(stored.get(name), value, name)
            for name, value in applied.items()
            if name not in ignored
        }
    if isinstance(stored, list) and isinstance(applied, list) and _is_named([*stored, *applied]):
        by_name = {item["name"]: item for item in stored}
        new = {item["name"]: _merged(by_name.get(item["name"]), item) for item in applied}
        return [*(new.pop(name, item) for name, item in by_name.items()), *new.values()]
    return applied


def _is_named(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) and "name" in item for item in items)


__all__ = ["Fault", "FakeKube", "KubeError", "Write", "is_selected"]
