from datetime import UTC, datetime, timedelta

import pytest

from serinus.cli.errors import CommandError, NotFoundError
from serinus.cli.past import moment_of
from tests.support.command_line import FakeCluster, commanded

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T09:30:00Z", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-21T10:30:00+01:00", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("90s", NOW - timedelta(seconds=90)),
        ("45m", NOW - timedelta(minutes=45)),
        ("12h", NOW - timedelta(hours=12)),
        ("30d", NOW - timedelta(days=30)),
    ],
)
def test_a_moment_is_a_time_or_how_long_ago(text: str, moment: datetime) -> None:
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "12", "99999999999d", "3 h"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(CommandError, match="is no moment") as refused:
        moment_of(text, NOW)

    assert "90m" in refused.value.hint


def test_without_a_moment_there_is_none() -> None:
    assert moment_of(None, NOW) is None


@pytest.mark.parametrize("verb", ["history", "report", "why --at 1h"])
def test_a_deployment_that_never_was_isnt_found(verb: str) -> None:
    with pytest.raises(NotFoundError):
        commanded(f"{verb} nothing", FakeCluster([]))
