"""A revision: the hash of everything that serves, rolled forward and back as one.

What the user asked for is compared first, so that neither a new default image nor another builder
nor another version of the hash makes a revision: those reach a Deployment with its next change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from serinus.api.deployment_status import RejectedRevision, RevisionStatus
from serinus.api.server import Server
from serinus.api.strategy import REVISIONS_BACK_MAX, RollbackWindow

HASH_VERSION = "1"
REVISION_LENGTH = 10
REJECTED_MAX = 20

Inputs = Mapping[str, Any]
"""What a user chose of a revision, as JSON: `modelDigest` and the `server` block."""


def revision_inputs(model_digest: str, server: Server | None) -> dict[str, Any]:
    """What the user chose; a field that isn't given is absent, so new fields change nothing.

    Of the log only that there is one: how much of it is no reason to restart a pod.
    """
    given = server.model_dump(mode="json", by_alias=True, exclude_defaults=True) if server else {}
    if "predictionLog" in given:
        given["predictionLog"] = {}
    return {"modelDigest": model_digest, "server": given}


def revision_hash(inputs: Inputs, *, image: str) -> str:
    """Name of the revision that is born of `inputs` with the server image `image`: 10 hex."""
    return content_hash({"hashVersion": HASH_VERSION, "image": image, "inputs": inputs})


def content_hash(content: Any) -> str:
    """First 10 hexadecimal digits of the SHA-256 of canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:REVISION_LENGTH]


def with_former(
    former: list[RevisionStatus], replaced: RevisionStatus | None, stable: str
) -> list[RevisionStatus]:
    """The revisions that were stable before `stable`, each once, the `replaced` one newest."""
    gone = {stable} | ({replaced.revision} if replaced else set())
    others = [one for one in former if one.revision not in gone]
    newest = [replaced] if replaced and replaced.revision != stable else []
    return [*others, *newest][-REVISIONS_BACK_MAX:]


def is_within_window(
    revision: str, former: list[RevisionStatus], window: RollbackWindow | None
) -> bool:
    """Whether `revision` is one of the newest that were stable before."""
    if window is None:
        return False
    return any(one.revision == revision for one in former[-window.revisions :])


def with_rejected(
    rejected: list[RejectedRevision], item: RejectedRevision
) -> list[RejectedRevision]:
    """The list with `item` as the newest, without the oldest beyond the bound."""
    others = without_rejected(rejected, item.revision)
    return [*others, item][-REJECTED_MAX:]


def without_rejected(rejected: list[RejectedRevision], revision: str) -> list[RejectedRevision]:
    """The list without `revision`, which may be tried again."""
    return [item for item in rejected if item.revision != revision]
