"""A revision is frozen and read back as it was."""

import copy
from typing import Any

import pytest

from serinus.manifests.revision import (
    RevisionRecord,
    make_controller_revision,
    parse_controller_revision,
)

RECORD = RevisionRecord(
    revision="c0ffee0000",
    number=7,
    inputs={"modelDigest": "sha256:" + "a" * 64, "server": {"env": [{"name": "A", "value": "1"}]}},
    hash_version="1",
    model_version="delay-7",
    template={"spec": {"containers": [{"name": "server"}]}},
)


def test_what_was_frozen_is_read_back() -> None:
    body = make_controller_revision("delay", "flights", RECORD)

    assert parse_controller_revision(body) == RECORD
    assert body["metadata"]["name"] == "delay-c0ffee0000"


@pytest.mark.parametrize("lost", ["revision", "inputs", "hashVersion", "modelVersion", "template"])
def test_what_isn_t_one_of_ours_is_none(lost: str) -> None:
    body: dict[str, Any] = copy.deepcopy(make_controller_revision("delay", "flights", RECORD))

    del body["data"][lost]

    assert parse_controller_revision(body) is None


@pytest.mark.parametrize("data", [None, "text", 7, []])
def test_foreign_data_is_none(data: object) -> None:
    assert parse_controller_revision({"revision": 1, "data": data}) is None
