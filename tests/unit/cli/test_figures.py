from datetime import datetime, timedelta, timezone

import pytest

from serinus.cli.figures import age, count, in_utc, share, short_digest
from tests.support.command_line import NOW


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172800, "2d")],
)
def test_an_age_has_one_unit(seconds: int, text: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == text


def test_an_unknown_age_is_a_dash() -> None:
    assert age(None, NOW) == "-"


def test_counts_have_their_thousands_apart() -> None:
    assert count(336776) == "336,776"


@pytest.mark.parametrize(
    ("bad", "total", "text"),
    [
        ("3", 1204, "3 of 1,204 (0.25 %)"),
        ("171.36", 1000, "171.4 of 1,000 (17.14 %)"),
        ("0", 0, "0 of 0"),
    ],
)
def test_a_share_is_told_by_its_counts(bad: str, total: int, text: str) -> None:
    assert share(bad, total) == text


def test_a_digest_is_cut() -> None:
    assert short_digest("sha256:" + "ab" * 32) == "sha256:abababababab"
    assert short_digest("") == ""


def test_a_moment_is_written_in_utc() -> None:
    moment = datetime(2026, 11, 21, 15, 0, tzinfo=timezone(timedelta(hours=1)))

    assert in_utc(moment) == "2026-11-21T14:00:00Z"
