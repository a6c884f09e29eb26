"""Which snapshots of a FeatureSet somebody still needs: retention may not take them.

Read from objects as they are stored: one that this operator can't parse needs its snapshots, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from serinus.reconcile.decision import JsonObject


def digests_in_use(
    feature_set: str, model_versions: Iterable[JsonObject], training_jobs: Iterable[JsonObject]
) -> set[str]:
    """Digests that models came from, that runs pinned, and that specs name.

    Of a TrainingJob the pins of the last run count however it ended: while it works it reads them,
    its ModelVersion may not be made yet, and a person may want to look why it failed.
    """
    found: set[str] = set()
    for version in model_versions:
        origin = _items(version, "spec", "source", "featureSnapshots")
        found.update(_digests(origin, "featureSet", feature_set, "digest"))
    for training_job in training_jobs:
        pins = _items(training_job, "status", "lastRun", "snapshots")
        found.update(_digests(pins, "featureSet", feature_set, "digest"))
        references = _items(training_job, "spec", "featureSetRefs")
        found.update(_digests(references, "name", feature_set, "snapshot"))
    return found


def _digests(
    items: Iterable[Mapping[str, Any]], name_field: str, name: str, digest_field: str
) -> Iterator[str]:
    for item in items:
        digest = item.get(digest_field)
        if item.get(name_field) == name and isinstance(digest, str):
            yield digest


def _items(body: JsonObject, *path: str) -> Iterator[Mapping[str, Any]]:
    """The objects in the list at `path`; none where something on the way is missing or odd."""
    value: Any = body
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item
