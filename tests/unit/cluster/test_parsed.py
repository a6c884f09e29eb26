"""Each body is parsed once, and never taken for another."""

from typing import Any

from serinus.cluster.parsed import Parsed
from serinus.reconcile.decision import JsonObject

Body = dict[str, Any]


class Parses:
    """Parses a body to its note, and remembers in which order."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __call__(self, body: JsonObject) -> str | None:
        self.notes.append(body["note"])
        return None if body["note"] == "odd" else body["note"].upper()


def body(uid: str, note: str, version: str = "1") -> Body:
    return {"metadata": {"uid": uid, "resourceVersion": version}, "note": note}


def test_a_body_is_parsed_once() -> None:
    parses = Parses()
    parsed, one = Parsed(parses), body("a", "one")

    assert parsed.of([one]) == parsed.of([one]) == ("ONE",)
    assert parses.notes == ["one"]


def test_what_cannot_be_read_is_left_out_and_not_tried_again() -> None:
    parses = Parses()
    parsed, bodies = Parsed(parses), [body("a", "odd"), body("b", "one")]

    assert parsed.of(bodies) == parsed.of(bodies) == ("ONE",)
    assert parses.notes == ["odd", "one"]


def test_a_body_that_took_its_place_is_parsed_anew() -> None:
    """A restored backup begins resourceVersions anew: the same number, another body."""
    parsed = Parsed(Parses())

    assert parsed.of([body("a", "before")]) == ("BEFORE",)
    assert parsed.of([body("a", "after")]) == ("AFTER",)


def test_only_so_many_are_remembered_and_those_in_use_longest() -> None:
    parses = Parses()
    parsed = Parsed(parses, remembered_max=2)
    in_use, old, new = body("a", "in use"), body("b", "old"), body("c", "new")
    for one in (in_use, old, in_use, new, in_use):
        parsed.of([one])
    parsed.of([old])

    assert parses.notes == ["in use", "old", "new", "old"]
