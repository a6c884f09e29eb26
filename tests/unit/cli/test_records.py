from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from serinus.api.conditions import parse_time
from serinus.cli.records import (
    decided_at,
    decisions_of,
    missing_numbers,
    records_among,
    selector_of,
    served_at,
)
from tests.support.decision_records import deployment_of, records_of, rolled_back_and_promoted

pytestmark = pytest.mark.slow


def test_decisions_come_in_order_with_all_that_was_recorded() -> None:
    world = rolled_back_and_promoted()

    decisions = decisions_of(records_among(reversed(records_of(world))), deployment_of(world))

    assert [one.number for one in decisions] == list(range(1, len(world.records) + 1))
    assert all(one.at <= other.at for one, other in pairwise(decisions) if one.at and other.at)
    rolled_back = next(one for one in decisions if one.action == "rollback")
    assert rolled_back.evidence[0].verdict == "Failed"
    assert [one.role for one in rolled_back.served or ()] == ["stable"]


def test_what_served_is_known_for_each_moment_since_the_first_record() -> None:
    world = rolled_back_and_promoted()
    decisions = decisions_of(records_among(records_of(world)), None)
    rolled_back = next(one for one in decisions if one.action == "rollback")

    before = served_at(decisions, rolled_back.at - timedelta(microseconds=1))
    after = served_at(decisions, rolled_back.at)

    assert [one.model_version for one in before] == ["v1", "v2"]
    assert [one.model_version for one in after] == ["v1"]
    assert served_at(decisions, decisions[0].at - timedelta(seconds=1)) is None
    assert decided_at(decisions, decisions[-1].at) == decisions[-1]


def test_what_is_on_its_way_to_a_record_is_taken_from_the_status() -> None:
    world = rolled_back_and_promoted()
    *written, newest = records_of(world)
    number = int(newest["metadata"]["labels"]["serinus.dev/record"])
    pending = {"number": number, "decision": newest["data"]["decision.json"]}
    resource = deployment_of(world)
    resource["status"] = {**resource["status"], "record": {"number": number, "pending": [pending]}}

    without_the_newest, all_records = map(records_among, (written, [*written, newest]))
    assert decisions_of(without_the_newest, resource) == decisions_of(all_records, resource)


def test_lines_of_the_history_from_before_the_first_record_come_first() -> None:
    world = rolled_back_and_promoted()
    resource = deployment_of(world)
    records = [
        body
        for body in records_of(world)
        if int(body["metadata"]["labels"]["serinus.dev/record"]) > 2
    ]

    decisions = decisions_of(records_among(records), resource)

    assert [one.number for one in decisions][:3] == [0, 0, 3]
    assert [one.action for one in decisions][:3] == ["start", "promote", "start"]
    assert decisions[0].at == parse_time(resource["status"]["history"][0]["at"])
    assert decisions[0].served is None


def test_a_gap_in_the_numbers_is_seen() -> None:
    world = rolled_back_and_promoted()
    records = [
        body
        for body in records_of(world)
        if body["metadata"]["labels"]["serinus.dev/record"] != "4"
    ]

    assert missing_numbers(one.number for one in records_among(records)) == (4,)


def _named(*, number: str) -> dict[str, Any]:
    labels = {"serinus.dev/record-of": "x", "serinus.dev/record": number}
    return {"name": f"x-record-{number}", "labels": labels}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"metadata": {"name": "x"}},
        {"metadata": _named(number="9"), "data": {}},
        {"metadata": _named(number="9"), "data": {"decision.json": "[7]"}},
        {"metadata": _named(number="x"), "data": {"decision.json": "{}"}},
        {"metadata": _named(number="9"), "data": {"decision.json": "{}"}},
    ],
)
def test_what_is_no_record_is_passed_over(spoilt) -> None:
    assert decisions_of(records_among([spoilt]), None) == ()


def test_records_are_found_by_the_label_that_they_bear() -> None:
    key, _, value = selector_of("delay").partition("=")

    assert all(
        body["metadata"]["labels"][key] == value for body in records_of(rolled_back_and_promoted())
    )
