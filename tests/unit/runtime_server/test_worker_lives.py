"""A worker that ended is started again, later and later, until it is given up."""

import pytest

from serinus_runtime.server.worker_lives import (
    HUNG_SECONDS,
    LIVED_SECONDS,
    SHORT_LIVES_MAX,
    START_SECONDS,
    Place,
    is_hung,
)


def test_after_a_long_life_the_next_begins_at_once() -> None:
    assert Place(0.0, short_lives=3).after_death(LIVED_SECONDS) == Place(LIVED_SECONDS)


def test_short_lives_are_followed_by_longer_pauses_and_in_the_end_by_none() -> None:
    place: Place | None = Place(100.0)
    pauses = []
    while place is not None:
        died_at = place.started_at + 1
        place = place.after_death(died_at)
        pauses.append(None if place is None else place.started_at - died_at)

    assert pauses == [0.0, 0.5, 1.0, 2.0, None]
    assert len(pauses) == SHORT_LIVES_MAX


@pytest.mark.parametrize(("after", "overdue"), [(START_SECONDS, False), (START_SECONDS + 1, True)])
def test_who_isnt_ready_has_its_time(after: float, overdue: bool) -> None:
    assert Place(10.0).is_overdue(10.0 + after) is overdue


@pytest.mark.parametrize(("after", "hung"), [(HUNG_SECONDS, False), (HUNG_SECONDS + 1, True)])
def test_who_doesnt_go_round_hangs(after: float, hung: bool) -> None:
    assert is_hung(10.0, 10.0 + after) is hung
