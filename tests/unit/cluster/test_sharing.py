"""What is shared is equal to what came in, and parts that differ stay apart."""

import json
from typing import Any

import pytest

from serinus.cluster.sharing import Sharing


def decoded(value: Any) -> Any:
    """`value` as another answer of the server would have it."""
    return json.loads(json.dumps(value))


TEMPLATE = {"labels": {"app": "delay"}, "containers": [{"name": "server", "args": ["a", "b"]}]}


def test_equal_parts_of_two_objects_are_one() -> None:
    sharing = Sharing()
    one = sharing.of(decoded({"name": "one", "template": TEMPLATE}))
    other = sharing.of(decoded({"name": "other", "template": TEMPLATE}))

    assert one == {"name": "one", "template": TEMPLATE}
    assert other == {"name": "other", "template": TEMPLATE}
    assert one["template"] is other["template"]


def test_equal_texts_of_two_objects_are_one() -> None:
    sharing = Sharing()
    one, other = (sharing.of(decoded({"image": "server:1", "n": n})) for n in (1, 2))

    assert one["image"] is other["image"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"a": 1}, {"a": True}, id="1 and true"),
        pytest.param({"a": 1}, {"a": 1.0}, id="1 and 1.0"),
        pytest.param({"a": 0}, {"a": False}, id="0 and false"),
        pytest.param({"a": 0.0}, {"a": -0.0}, id="0.0 and -0.0"),
        pytest.param({"a": "1"}, {"a": 1}, id="a text and a number"),
        pytest.param({"a": None}, {"a": "null"}, id="nothing and a text"),
        pytest.param({"a": {}}, {"a": []}, id="no fields and no items"),
        pytest.param({"a": "b"}, ["a", "b"], id="a field and two items"),
        pytest.param({"a": {"b": "c"}}, {"a": ["b", "c"]}, id="an object and a list"),
        pytest.param([["a"], "b"], ["a", ["b"]], id="nested otherwise"),
    ],
)
def test_parts_that_look_alike_stay_what_they_are(one: Any, other: Any) -> None:
    sharing = Sharing()
    for value in (one, other, one):
        assert json.dumps(sharing.of(decoded(value))) == json.dumps(value)


def test_what_is_in_use_is_remembered_and_the_rest_forgotten() -> None:
    sharing = Sharing(remembered=20)
    first = sharing.of(decoded(TEMPLATE))
    for number in range(1000):
        sharing.of(decoded({"number": number}))
        assert sharing.of(decoded(TEMPLATE)) is first

    assert len(sharing._young) + len(sharing._old) <= 20


def test_what_came_in_is_left_as_it_was() -> None:
    value = decoded(TEMPLATE)
    Sharing().of(value)

    assert value == TEMPLATE
