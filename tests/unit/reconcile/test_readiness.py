"""Conditions as kstatus reads them, and which troubles are told in events."""

import pytest

from serinus.api.conditions import Condition
from serinus.api.enums import ConditionType, Reason
from serinus.reconcile.readiness import (
    Note,
    Readiness,
    all_conditions,
    bounded,
    noted,
    trouble_events,
)
from tests.support.run_world import NOW

FINE = Note(Reason.SUCCEEDED, "fine")
WAITS = Note(Reason.SECRET_MISSING, "waits")
STUCK = Note(Reason.NAME_CONFLICT, "stuck")


def kinds(readiness: Readiness) -> dict[str, str]:
    return {one.type: one.status for one in readiness.conditions()}


@pytest.mark.parametrize(
    ("readiness", "conditions", "headline"),
    [
        (Readiness(True, FINE), {"Ready": "True"}, "fine"),
        (Readiness(None, FINE), {"Ready": "Unknown"}, "fine"),
        (
            Readiness(True, FINE, reconciling=WAITS),
            {"Ready": "True", "Reconciling": "True"},
            "waits",
        ),
        (Readiness(False, FINE, stalled=STUCK), {"Ready": "False", "Stalled": "True"}, "stuck"),
        (
            Readiness(False, FINE, reconciling=WAITS, stalled=STUCK),
            {"Ready": "False", "Stalled": "True"},
            "stuck",
        ),
    ],
)
def test_what_is_true_is_there_and_the_headline_is_what_to_act_on(
    readiness: Readiness, conditions: dict[str, str], headline: str
) -> None:
    assert kinds(readiness) == conditions
    assert readiness.headline == headline


def test_a_time_moves_only_with_its_status() -> None:
    before = Condition(
        type="Ready", status="True", reason="X", last_transition_time="2020-01-01T00:00:00Z"
    )
    readiness = Readiness(True, FINE, reconciling=WAITS)
    found = all_conditions([before], readiness, generation=2, now=NOW)

    assert [(one.type, one.last_transition_time) for one in found] == [
        ("Ready", "2020-01-01T00:00:00Z"),
        ("Reconciling", "2026-01-01T12:00:00Z"),
    ]
    assert {one.observed_generation for one in found} == {2}


def test_a_trouble_is_told_when_it_comes_up_and_not_again() -> None:
    readiness = Readiness(None, FINE, reconciling=WAITS)
    [event] = trouble_events([], readiness)
    stored = [noted(ConditionType.RECONCILING, True, WAITS)]

    assert (event.reason, event.message) == ("SecretMissing", "waits")
    assert trouble_events(stored, readiness) == ()


def test_progress_is_no_trouble() -> None:
    note = Note(Reason.PROGRESSING, "works")

    assert trouble_events([], Readiness(None, FINE, reconciling=note)) == ()


@pytest.mark.parametrize(
    ("text", "line"), [("a\nb\t c ", "a b c"), ("x" * 11, "x" * 9 + "…"), ("x" * 10, "x" * 10)]
)
def test_a_message_is_one_line_that_fits(text: str, line: str) -> None:
    assert bounded(text, 10) == line
