import json
import re
from itertools import pairwise

import pytest

from tests.support.command_line import FakeCluster, commanded
from tests.support.decision_records import (
    at_second,
    deployment_of,
    records_of,
    rolled_back_and_promoted,
    without_hashes,
)

pytestmark = pytest.mark.slow


def cluster() -> FakeCluster:
    world = rolled_back_and_promoted()
    return FakeCluster([deployment_of(world), *records_of(world)])


def test_a_report_tells_people_what_served_and_each_decision_with_its_evidence(golden) -> None:
    _, text = commanded("report delay", cluster())

    golden("cli/report.md", without_hashes(text))


def test_a_report_holds_the_rules_that_were_frozen_when_a_rollout_began() -> None:
    _, text = commanded("report delay", cluster())

    rules = [json.loads(one) for one in re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)]
    assert [len(one["steps"]) for one in rules] == [4, 2]
    assert all(one["analysis"]["metrics"][0]["name"] == "errors" for one in rules)


def test_another_program_gets_periods_without_gaps_and_every_record() -> None:
    _, text = commanded("report delay -o json", cluster())

    told = json.loads(text)
    served = [[one["modelVersion"] for one in period["served"] or ()] for period in told["served"]]
    assert [one["record"] for one in told["decisions"]] == list(
        range(1, len(rolled_back_and_promoted().records) + 1)
    )
    assert all(one["until"] == other["from"] for one, other in pairwise(told["served"]))
    assert told["served"][-1]["until"] is None
    assert served[0] == ["v1"]
    assert ["v1", "v2"] in served
    assert served[-1] == ["v3"]
    assert told["missingRecords"] == []


def test_a_report_of_a_time_holds_what_was_so_then() -> None:
    _, text = commanded(f"report delay -o json --since {at_second(12)}", cluster())
    _, early = commanded(f"report delay -o json --until {at_second(1)}", cluster())

    assert json.loads(text)["served"][0]["served"][0]["modelVersion"] == "v1"
    assert json.loads(text)["decisions"][0]["action"] == "start"
    assert [one["record"] for one in json.loads(early)["decisions"]] == [1]


def test_a_report_names_the_records_that_arent_there_and_that_the_deployment_is_gone() -> None:
    records = records_of(rolled_back_and_promoted())
    del records[4]

    _, text = commanded("report delay", FakeCluster(records))

    assert "Records that aren't there: 5." in text
    assert "isn't there any more" in text
    assert "| its end |" in text
