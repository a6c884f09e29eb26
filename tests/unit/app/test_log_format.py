import json
import logging

from serinus.app.log_format import JsonFormatter
from serinus.reconcile.decision import ObjectRef

REF = ObjectRef("apps/v1", "Deployment", "flights", "delay-abc")


def line(message: str, *, level: int = logging.INFO, **extra: object) -> dict[str, object]:
    """What is written for a log call with this `extra`."""
    logger = logging.getLogger("serinus.test")
    record = logger.makeRecord(logger.name, level, "f", 1, message, (), None, extra=extra)
    decoded = json.loads(JsonFormatter().format(record))
    assert isinstance(decoded, dict)
    return decoded


def test_a_line_has_time_level_and_a_constant_message() -> None:
    found = line("object applied")

    assert (found["message"], found["level"]) == ("object applied", "info")
    assert str(found["time"]).endswith("Z")


def test_the_object_is_named_with_its_group_and_kind() -> None:
    found = line("object applied", about=REF, field="spec.replicas")

    assert found["group"] == "apps"
    assert found["kind"] == "Deployment"
    assert (found["namespace"], found["name"]) == ("flights", "delay-abc")
    assert found["field"] == "spec.replicas"
    assert "about" not in found


def test_a_failure_has_its_traceback_in_the_same_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "pass failed", (), info)

    text = JsonFormatter().format(record)

    assert "\n" not in text
    assert "ValueError: two" in json.loads(text)["traceback"]


def test_what_json_doesnt_know_is_written_as_text() -> None:
    assert "Deployment" in str(line("x", odd={1, REF})["odd"])
