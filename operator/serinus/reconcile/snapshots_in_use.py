"""Which snapshots of a FeatureSet somebody still needs: retention may not take them.

Read from objects as they are stored: one that this operator can't parse needs its snapshots, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serinus.reconcile.decision import JsonObject
from serinus.reconcile.json_values import objects_at, text_at


def digests_in_use(
    feature_set: str, model_versions: Iterable[JsonObject], training_jobs: Iterable[JsonObject]
) -> set[str]:
    """Digests that models came from, that runs pinned, and that specs name.

    Of a TrainingJob the pins of the last run count however it ended: while it works it reads them,
    its ModelVersion may not be made yet, and a person may want to look why it failed.
    """
    found: set[str] = set()
    for version in model_versions:
        origin = objects_at(version, "spec", "source", "featureSnapshots")
        found.update(_digests(origin, "featureSet", feature_set, "digest"))
    for training_job in training_jobs:
        pins = objects_at(training_job, "status", "lastRun", "snapshots")
        found.update(_digests(pins, "featureSet", feature_set, "digest"))
        references = objects_at(training_job, "spec", "featureSetRefs")
        found.update(_digests(references, "name", feature_set, "snapshot"))
    return found


def _digests(
    items: Iterable[JsonObject], name_field: str, name: str, digest_field: str
) -> Iterator[str]:
    for item in items:
        digest = text_at(item, digest_field)
        if digest and text_at(item, name_field) == name:
            yield digest
