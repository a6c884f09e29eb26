"""Where a model reference leads, and what it waits for."""

from typing import Any

import pytest

from serinus.api.deployment import ModelReference
from serinus.api.enums import Reason
from serinus.api.modelversion import ModelVersion
from serinus.reconcile.model_reference import (
    Resolved,
    Running,
    Unresolved,
    is_rejected,
    parsed_version,
    resolved,
)
from tests.support.deployment_world import model_version

PINNED = {"versionRef": {"name": "v1"}}
CHAMPION = {"channel": {"modelName": "delay", "alias": "champion"}}
LATEST = {"channel": {"modelName": "delay", "latestApproved": True}}

CASES = [
    ("ready", PINNED, [model_version("v1")], "v1", ""),
    (
        "missing",
        PINNED,
        [],
        Reason.WAITING_FOR_MODEL_VERSION,
        "`v1` doesn't exist in this namespace; waits until",
    ),
    (
        "not ready yet",
        PINNED,
        [model_version("v1", phase="Verifying")],
        Reason.WAITING_FOR_MODEL_VERSION,
        "`v1`, which isn't ready",
    ),
    (
        "rejected",
        PINNED,
        [model_version("v1", phase="Rejected")],
        Reason.MODEL_VERSION_REJECTED,
        "never served",
    ),
    (
        "archived",
        PINNED,
        [model_version("v1", phase="Archived")],
        Reason.WAITING_FOR_MODEL_VERSION,
        "isn't ready",
    ),
    ("the alias' bearer", CHAMPION, [model_version("v1", aliases=["champion"])], "v1", ""),
    ("nobody bears it", CHAMPION, [model_version("v1")], Reason.CHANNEL_EMPTY, "`champion`"),
    (
        "two bear it",
        CHAMPION,
        [model_version("v2", aliases=["champion"]), model_version("v1", aliases=["champion"])],
        Reason.ALIAS_CONFLICT,
        "`v1` and `v2`",
    ),
    (
        "a rejected one bears it",
        CHAMPION,
        [model_version("v1", aliases=["champion"], phase="Rejected")],
        Reason.MODEL_VERSION_REJECTED,
        "never served",
    ),
    (
        "of another model",
        CHAMPION,
        [model_version("v1", aliases=["champion"], modelName="price")],
        Reason.CHANNEL_EMPTY,
        "`champion`",
    ),
    (
        "the newest that is ready",
        LATEST,
        [
            model_version("v1", created="2026-01-01T00:00:00Z"),
            model_version("v3", created="2026-01-03T00:00:00Z", phase="Pending"),
            model_version("v2", created="2026-01-02T00:00:00Z"),
        ],
        "v2",
        "",
    ),
    (
        "two of one second, by their numbers",
        LATEST,
        [model_version("delay-9"), model_version("delay-10")],
        "delay-10",
        "",
    ),
    (
        "none is ready",
        LATEST,
        [model_version("v1", phase="Rejected")],
        Reason.CHANNEL_EMPTY,
        "ready and approved",
    ),
]


@pytest.mark.parametrize(
    ("reference", "versions", "then", "said"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_a_reference(
    reference: dict[str, Any], versions: list[dict[str, Any]], then: str, said: str
) -> None:
    candidates = [ModelVersion.model_validate(body) for body in versions]
    found = resolved(ModelReference.model_validate(reference), candidates)

    if isinstance(found, Resolved):
        assert found.version.metadata.name == then
    else:
        assert found.reason == then
        assert said in found.message


def test_a_version_that_serves_and_is_deleted_goes_on_serving() -> None:
    found = resolved(ModelReference.model_validate(PINNED), (), running=(Running("v1", None),))

    assert isinstance(found, Unresolved)
    assert found.reason == Reason.MODEL_VERSION_NOT_FOUND
    assert not found.needs_a_person


LEFT = [
    ("an older one is left", "2026-01-01T00:00:00Z", None),
    ("one of the same moment is left", "2026-01-05T00:00:00Z", None),
    ("one came after what serves was chosen", "2026-01-05T00:00:01Z", "v2"),
    ("one that tells no time is left", "yesterday", None),
]


@pytest.mark.parametrize(
    ("created", "then"), [row[1:] for row in LEFT], ids=[row[0] for row in LEFT]
)
def test_where_the_newest_was_deleted_only_a_newer_one_takes_its_place(
    created: str, then: str | None
) -> None:
    serves = Running("v9", "2026-01-05T00:00:00Z")
    versions = [ModelVersion.model_validate(model_version("v2", created=created))]

    found = resolved(ModelReference.model_validate(LATEST), versions, running=(serves,))

    if then is None:
        assert isinstance(found, Unresolved)
        assert (found.reason, found.version) == (Reason.MODEL_VERSION_NOT_FOUND, "v9")
    else:
        assert isinstance(found, Resolved)
        assert found.version.metadata.name == then


def test_a_version_on_its_way_out_is_gone() -> None:
    leaving = model_version("v1")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert parsed_version(leaving) is None


def test_what_can_t_be_read_is_no_version() -> None:
    assert parsed_version({"metadata": {"name": "v1"}, "spec": {"digest": 7}}) is None


def test_rejected_is_told_by_name() -> None:
    bodies = [model_version("v1", phase="Rejected"), model_version("v2")]
    versions = [ModelVersion.model_validate(body) for body in bodies]

    assert is_rejected("v1", versions)
    assert not is_rejected("v2", versions)
    assert not is_rejected("v3", versions)
