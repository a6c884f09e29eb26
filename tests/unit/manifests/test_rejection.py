"""A rejection is kept as it was, under a name of its own."""

from typing import Any

import pytest

from serinus.api.deployment_status import RejectedRevision
from serinus.manifests.rejection import make_rejection, parse_rejection
from serinus.manifests.revision import parse_controller_revision

REJECTED = RejectedRevision(
    revision="c0ffee0000",
    model_version="delay-7",
    reason="EvidenceOfHarm",
    message="errors: 40 of 500",
    at="2026-03-01T12:00:00Z",
)


def test_what_was_kept_is_read_back_and_is_no_revision() -> None:
    body = make_rejection("delay", "flights", REJECTED)

    assert parse_rejection(body) == REJECTED
    assert parse_controller_revision(body) is None
    assert body["metadata"]["name"] == "delay-c0ffee0000-rejected"
    assert body["metadata"]["labels"]["serinus.dev/deployment"] == "delay"


@pytest.mark.parametrize(
    "data", [None, "text", 7, {}, {"rejected": 7}, {"rejected": {"revision": "c0ffee0000"}}]
)
def test_what_holds_none_is_none(data: Any) -> None:
    assert parse_rejection({"revision": 0, "data": data}) is None
