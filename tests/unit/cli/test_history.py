import json

import pytest

from serinus.cli.errors import RefusedError
from tests.support.command_line import (
    ROLLED_BACK,
    FakeCluster,
    commanded,
    deployment,
    flights_in_canary,
)
from tests.support.decision_records import (
    at_second,
    deployment_of,
    records_of,
    rolled_back_and_promoted,
)


def test_all_decisions_are_shown_newest_last(golden) -> None:
    _, text = commanded("history flight-delay", FakeCluster([deployment(ROLLED_BACK)]))

    golden("cli/history.txt", text)


def test_another_program_gets_them_as_data() -> None:
    _, text = commanded("history flight-delay -o json", FakeCluster([deployment(ROLLED_BACK)]))

    assert [one["action"] for one in json.loads(text)] == ["promote", "rollback"]


def test_records_tell_more_than_the_status_and_until_when_is_asked_for() -> None:
    world = rolled_back_and_promoted()
    cluster = FakeCluster([deployment_of(world), *records_of(world)])

    _, text = commanded("history delay -o json", cluster)
    _, early = commanded(f"history delay -o json --at {at_second(1)}", cluster)

    told = json.loads(text)
    assert [one["record"] for one in told] == list(range(1, len(world.records) + 1))
    assert "serve" in {one["action"] for one in told}
    assert [one["action"] for one in json.loads(early)] == ["start"]


def test_the_history_outlives_its_deployment() -> None:
    _, text = commanded("history delay", FakeCluster(records_of(rolled_back_and_promoted())))

    assert "EvidenceOfHarm" in text
    assert "Deployment `delay` isn't there any more; these are its records." in text


def test_who_may_not_read_records_gets_what_the_status_has_and_is_told() -> None:
    world = rolled_back_and_promoted()
    cluster = FakeCluster([deployment_of(world), *records_of(world)], forbidden="configmaps")

    _, text = commanded("history delay", cluster)

    assert "EvidenceOfHarm" in text
    assert "cannot list configmaps" in text


def test_other_kinds_have_none() -> None:
    with pytest.raises(RefusedError, match="a FeatureSet has no history"):
        commanded("history fset flights", flights_in_canary())
