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


def test_all_decisions_are_shown_newest_last(golden) -> None:
    _, text = commanded("history flight-delay", FakeCluster([deployment(ROLLED_BACK)]))

    golden("cli/history.txt", text)


def test_another_program_gets_them_as_data() -> None:
    _, text = commanded("history flight-delay -o json", FakeCluster([deployment(ROLLED_BACK)]))

    assert [one["action"] for one in json.loads(text)] == ["promote", "rollback"]


def test_other_kinds_have_none() -> None:
    with pytest.raises(RefusedError, match="a FeatureSet has no history"):
        commanded("history fset flights", flights_in_canary())
