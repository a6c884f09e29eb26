"""The Service: two forms of its selector, and the memory of who is stable."""

import json
from collections.abc import Callable

from serinus.manifests.service import (
    make_service,
    pinned_selector,
    service_url,
    split_selector,
)
from serinus.manifests.workload import revision_labels


def test_the_service_is_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    service = make_service(
        "delay", "flights", selector=pinned_selector("delay", "c0ffee0000"), stable="c0ffee0000"
    )

    golden("manifests/service.json", json.dumps(service, indent=2, sort_keys=True) + "\n")


def test_pinned_finds_one_revision_and_split_finds_all() -> None:
    one, other = revision_labels("delay", "aaaaaaaaaa"), revision_labels("delay", "bbbbbbbbbb")
    foreign = revision_labels("price", "aaaaaaaaaa")

    pinned, split = pinned_selector("delay", "aaaaaaaaaa").items(), split_selector("delay").items()

    assert [pinned <= labels.items() for labels in (one, other, foreign)] == [True, False, False]
    assert [split <= labels.items() for labels in (one, other, foreign)] == [True, True, False]


def test_before_the_first_revision_is_stable_it_is_said_that_none_is() -> None:
    service = make_service(
        "delay", "flights", selector=pinned_selector("delay", "c0ffee0000"), stable=None
    )

    assert service["metadata"]["annotations"] == {"serinus.dev/stable-revision": ""}


def test_the_address_is_that_of_the_service() -> None:
    assert service_url("delay", "flights") == "http://delay.flights.svc"
