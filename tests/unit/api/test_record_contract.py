import json
from typing import Any

import pytest

from serinus.api.record_contract import (
    DecisionRecord,
    RecordError,
    each_once,
    line_of,
    record_in,
    record_of_line,
)


def a_record(
    number: int = 3, text: str = '{"action":"promote","because":"größer"}'
) -> DecisionRecord:
    return DecisionRecord("flights", "delay", number, text)


def config_map(**changes: Any) -> dict[str, Any]:
    labels = {"serinus.dev/record-of": "delay", "serinus.dev/record": "3"}
    body: dict[str, Any] = {
        "metadata": {"name": "delay-record-3", "namespace": "flights", "labels": labels},
        "data": {"decision.json": a_record().text},
    }
    return body | changes


def test_a_record_is_what_its_config_map_holds() -> None:
    assert record_in(config_map()) == a_record()
    assert a_record().name == "delay-record-3"


@pytest.mark.parametrize(
    "changes",
    [
        {"data": None},
        {"data": {"other": "{}"}},
        {"metadata": {"name": "delay-record-3"}},
        {"metadata": {"name": "mine", "labels": config_map()["metadata"]["labels"]}},
        {"metadata": {"name": "x", "labels": {"serinus.dev/record": "three"}}},
    ],
    ids=["no data", "no decision", "no labels", "another name", "no number"],
)
def test_what_only_looks_like_a_record_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="and isn't one"):
        record_in(config_map(**changes))


def test_a_line_shows_the_decision_to_other_programs_and_leads_back_to_the_record() -> None:
    line = line_of(a_record())

    assert json.loads(line)["decision"] == {"action": "promote", "because": "größer"}
    assert "\n" not in line
    assert record_of_line(line) == a_record()


@pytest.mark.parametrize(
    "text",
    ['{"cut":"of', '{ "spaced": 1}', '{"twice":1,"twice":2}', '{"x":NaN}', "[7]", "", '{"a":1}\n'],
)
def test_what_would_not_be_read_back_to_the_byte_is_kept_as_text(text: str) -> None:
    line = line_of(a_record(text=text))

    assert json.loads(line)["text"] == text
    assert record_of_line(line) == a_record(text=text)


@pytest.mark.parametrize(
    ("before", "after"),
    [("promote", "rollback"), ('"record":3', '"record":4'), ("flights", "elsewhere")],
)
def test_a_line_that_was_changed_is_seen(before: str, after: str) -> None:
    changed = line_of(a_record()).replace(before, after)

    with pytest.raises(RecordError, match=r"`delay-record-\d` was changed"):
        record_of_line(changed)


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "{}", '"text"', line_of(a_record())[:-20], '{"text":5,"sha256":""}']
)
def test_a_line_without_a_record_is_refused(line: str) -> None:
    with pytest.raises(RecordError, match="no record"):
        record_of_line(line)


def test_records_are_each_there_once_in_order() -> None:
    assert each_once([a_record(10), a_record(9), a_record(10)]) == (a_record(9), a_record(10))


def test_two_of_one_name_that_differ_are_named() -> None:
    with pytest.raises(RecordError, match="`delay-record-3` is there twice"):
        each_once([a_record(3), a_record(3, text="{}")])
