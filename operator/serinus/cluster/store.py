"""What is known of the cluster: the newest seen body of each observed object.

It is fed by the watch and by the answers to our own writes, so that a pass sees what the pass
before it wrote. An older body never replaces a newer one. Which is older is known from
resourceVersions where both are numbers (as they are with etcd; Kubernetes promises it from 1.35
on); otherwise an answer counts only if no event came since the write began. What a stale store
can lead to is bounded: status is written with its resourceVersion, deletes with uids.

Bodies are never changed in place. They are kept without what only others read, and share their
equal parts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from serinus.cluster.indexes import Index, index_entries
from serinus.cluster.sharing import Sharing
from serinus.manifests.naming import OWNER_LABELS
from serinus.reconcile.decision import JsonObject, ObjectRef

TOMBSTONES_MAX = 10_000
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The object once more, as text: kubectl's own note."""
_NOT_KEPT = frozenset({"managedFields"})
_OWNER_LABELS = frozenset(OWNER_LABELS.values())

_Bucket = dict[ObjectRef, JsonObject]
_Place = tuple[str, str, str]


class WatchEvent(StrEnum):
    """What the watch says of an object."""

    LISTED = "LISTED"
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an object in the store; `old` or `new` is None where there is none."""

    ref: ObjectRef
    old: JsonObject | None
    new: JsonObject | None


def ref_of(body: JsonObject) -> ObjectRef:
    """Which object the body is of."""
    metadata = body["metadata"]
    return ObjectRef(
        body["apiVersion"], body["kind"], metadata.get("namespace", ""), metadata["name"]
    )


def uid_of(body: JsonObject) -> str:
    """The object's uid."""
    return str(body["metadata"].get("uid", ""))


class Store:
    """Objects by reference, by kind, by our label that names their owner, and by each `Index`."""

    def __init__(self) -> None:
        self._objects: _Bucket = {}
        self._by_kind: dict[_Place, _Bucket] = {}
        self._found_by: dict[_Place, _Bucket] = {}
        self._deleted_uids: OrderedDict[str, None] = OrderedDict()
        self._sharing = Sharing()

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, ref: ObjectRef) -> JsonObject | None:
        """The object, or None."""
        return self._objects.get(ref)

    def of_kind(self, api_version: str, kind: str, namespace: str) -> tuple[JsonObject, ...]:
        """Objects of one kind in a namespace, in no order."""
        return tuple(self._by_kind.get((api_version, kind, namespace), {}).values())

    def labelled(self, namespace: str, label: str, value: str) -> dict[ObjectRef, JsonObject]:
        """Objects of all kinds whose label of ours (`naming.OWNER_LABELS`) has this value."""
        return dict(self._found_by.get((label, namespace, value), {}))

    def found_by(self, index: Index, namespace: str, name: str) -> dict[ObjectRef, JsonObject]:
        """Objects that answer the index's question for this name."""
        return dict(self._found_by.get((index, namespace, name), {}))

    def refs(self, api_version: str, kind: str) -> Iterator[ObjectRef]:
        """All objects of one kind, in all namespaces."""
        for (version, name, _), bucket in list(self._by_kind.items()):
            if (version, name) == (api_version, kind):
                yield from list(bucket)

    def all_of(self, api_version: str, kind: str) -> Iterator[JsonObject]:
        """Objects of one kind, in all namespaces."""
        return (self._objects[ref] for ref in self.refs(api_version, kind))

    def observe(self, event: WatchEvent, body: JsonObject) -> Change | None:
        """Take in what the watch says; None when it is no news.

        A listed object always counts: after a restored backup resourceVersions begin anew.
        """
        ref = ref_of(body)
        stored = self._objects.get(ref)
        if event is WatchEvent.DELETED:
            return self.forget(ref, uid_of(body))
        if uid_of(body) in self._deleted_uids:
            return None
        newest = event is WatchEvent.LISTED or stored is None or not _is_older(body, than=stored)
        if not newest or (stored and _version(stored) == _version(body)):
            return None
        return self._put(ref, body)

    def put_answer(self, body: JsonObject, *, before: JsonObject | None) -> Change | None:
        """Take in the server's answer to a write of ours.

        `before` is what the store had of the object when the write began.
        """
        ref = ref_of(body)
        stored = self._objects.get(ref)
        if uid_of(body) in self._deleted_uids:
            return None
        if stored is not None:
            came_meanwhile = stored is not before and not _is_older(stored, than=body)
            if came_meanwhile or _is_older(body, than=stored):
                return None
        return self._put(ref, body)

    def put_read(self, body: JsonObject, *, before: JsonObject | None) -> Change | None:
        """Take in what the server answered when asked for the object.

        Unlike the answer to a write it is proof that the object exists: one whose labels were
        taken away leaves the watch as if it were deleted.
        """
        self._deleted_uids.pop(uid_of(body), None)
        return self.put_answer(body, before=before)

    def forget(self, ref: ObjectRef, uid: str) -> Change | None:
        """The object with this uid is gone; an event that still comes doesn't bring it back."""
        self._deleted_uids[uid] = None
        while len(self._deleted_uids) > TOMBSTONES_MAX:
            self._deleted_uids.popitem(last=False)
        stored = self._objects.get(ref)
        if stored is None or uid_of(stored) != uid:
            return None
        self._unindex(ref, stored)
        del self._objects[ref]
        return Change(ref, stored, None)

    def _put(self, ref: ObjectRef, body: JsonObject) -> Change:
        old, new = self._objects.get(ref), self._kept(body)
        if old is not None:
            self._unindex(ref, old)
        self._objects[ref] = new
        self._by_kind.setdefault(_kind(ref), {})[ref] = new
        for place in _places(ref, new):
            self._found_by.setdefault(place, {})[ref] = new
        return Change(ref, old, new)

    def _kept(self, body: JsonObject) -> JsonObject:
        metadata = {key: value for key, value in body["metadata"].items() if key not in _NOT_KEPT}
        if LAST_APPLIED in (metadata.get("annotations") or {}):
            metadata["annotations"] = {
                key: value for key, value in metadata["annotations"].items() if key != LAST_APPLIED
            }
        shared = self._sharing.of
        parts = {key: shared(value) for key, value in body.items() if key != "metadata"}
        return parts | {"metadata": {key: shared(value) for key, value in metadata.items()}}

    def _unindex(self, ref: ObjectRef, body: JsonObject) -> None:
        _take_out(self._by_kind, _kind(ref), ref)
        for place in _places(ref, body):
            _take_out(self._found_by, place, ref)


def _kind(ref: ObjectRef) -> _Place:
    return ref.api_version, ref.kind, ref.namespace


def _places(ref: ObjectRef, body: JsonObject) -> Iterator[_Place]:
    """Where the object is looked for, besides under its name and kind."""
    for label, value in (body["metadata"].get("labels") or {}).items():
        if label in _OWNER_LABELS:
            yield label, ref.namespace, value
    for index, name in index_entries(body):
        yield index, ref.namespace, name


def _take_out(buckets: dict[_Place, _Bucket], place: _Place, ref: ObjectRef) -> None:
    """Take the object away, and its bucket if it was the last: names come and go."""
    bucket = buckets.get(place)
    if bucket is not None:
        bucket.pop(ref, None)
        if not bucket:
            del buckets[place]


def _version(body: JsonObject) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def _is_older(body: JsonObject, *, than: JsonObject) -> bool:
    """Whether `body` is known to be the older one; of two objects of one name nothing is known."""
    one, other = _version(body), _version(than)
    if uid_of(body) != uid_of(than) or not (one.isdecimal() and other.isdecimal()):
        return False
    return int(one) < int(other)
