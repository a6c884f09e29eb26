"""Each log line is one JSON object with the pod's identity."""

import json
import logging
import sys

from serinus_runtime.server.json_log import JsonFormatter


def line(record: logging.LogRecord) -> dict[str, object]:
    text = JsonFormatter({"deployment": "flight-delay"}).format(record)
    assert "\n" not in text
    document: dict[str, object] = json.loads(text)
    return document


def test_fields_of_the_call_and_of_the_pod_are_keys() -> None:
    record = logging.makeLogRecord(
        {"msg": "drain began", "levelname": "INFO", "name": "server", "signal": "SIGTERM"}
    )

    told = line(record)

    assert told.pop("time")
    assert told == {
        "level": "info",
        "logger": "server",
        "message": "drain began",
        "deployment": "flight-delay",
        "signal": "SIGTERM",
    }


def test_a_traceback_stays_on_its_line() -> None:
    try:
        raise ZeroDivisionError("oh")
    except ZeroDivisionError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})

    assert "ZeroDivisionError: oh" in str(line(record)["traceback"])
