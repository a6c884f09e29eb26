"""What of unchecked JSON counts as being there."""

from serinus.reconcile.json_values import objects_at, text_at, value_at

BODY = {"spec": {"model": {"name": "delay", "count": 3}, "list": [{"a": 1}, "text", None]}}


def test_a_value_is_found_by_its_path() -> None:
    assert value_at(BODY, "spec", "model", "count") == 3
    assert text_at(BODY, "spec", "model", "name") == "delay"
    assert objects_at(BODY, "spec", "list") == [{"a": 1}]


def test_what_is_missing_or_of_another_shape_isnt_there() -> None:
    assert value_at(BODY, "spec", "model", "name", "deeper") is None
    assert value_at(None, "spec") is None
    assert text_at(BODY, "spec", "model", "count") is None
    assert objects_at(BODY, "spec", "model") == []
    assert objects_at(BODY, "status", "list") == []
