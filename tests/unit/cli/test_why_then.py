import json

import pytest

from serinus.cli.errors import RefusedError
from tests.support.command_line import FakeCluster, commanded
from tests.support.decision_records import (
    at_second,
    deployment_of,
    records_of,
    rolled_back_and_promoted,
    without_hashes,
)

pytestmark = pytest.mark.slow


def moment_of(action: str) -> str:
    """When it was decided last."""
    recorded = reversed(rolled_back_and_promoted().recorded())
    return next(str(one["at"]) for _, one in recorded if one["action"] == action)


def test_what_served_then_is_told_with_the_evidence_that_decided(golden) -> None:
    world = rolled_back_and_promoted()
    cluster = FakeCluster([deployment_of(world), *records_of(world)])

    _, text = commanded(f"why delay --at {moment_of('rollback')}", cluster)

    golden("cli/why-then.txt", without_hashes(text))


def test_it_is_told_of_a_deployment_that_is_gone_too() -> None:
    world = rolled_back_and_promoted()
    cluster = FakeCluster(records_of(world))

    _, text = commanded(f"why delay --at {moment_of('step')}", cluster)

    assert "delay, which isn't there any more" in text
    assert "(v1), canary" in text
    assert "(v3) at 20 %" in text


def test_who_decided_is_told_and_that_nobody_vouches_for_it() -> None:
    world = rolled_back_and_promoted()
    cluster = FakeCluster(records_of(world))

    _, text = commanded(f"why delay --at {moment_of('promote')}", cluster)

    assert "promote of revision" in text
    assert "by ada" in text
    assert "ada, not verified" in text


def test_another_program_gets_the_whole_record() -> None:
    world = rolled_back_and_promoted()
    cluster = FakeCluster(records_of(world))

    _, text = commanded(f"why delay -o json --at {moment_of('rollback')}", cluster)

    told = json.loads(text)
    assert told["decision"]["action"] == "rollback"
    assert told["decision"]["evidence"][0]["canary"]["total"] > 0
    assert [one["modelVersion"] for one in told["served"]] == ["v1"]


def test_before_the_first_decision_nothing_is_known_and_the_first_is_named() -> None:
    cluster = FakeCluster(records_of(rolled_back_and_promoted()))

    with pytest.raises(RefusedError, match="nothing is recorded") as refused:
        commanded("why delay --at 2020-01-01T00:00:00Z", cluster)

    assert at_second(0) in refused.value.hint
