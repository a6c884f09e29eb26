"""Logs as one JSON object a line, with the pod's identity in each."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Renders a record and its extra fields; `constant` fields are in every line."""

    def __init__(self, constant: dict[str, str]) -> None:
        super().__init__()
        self._constant = constant

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._constant,
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure_logging(constant: dict[str, str]) -> None:
    """Send all logs to standard output as JSON."""
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(JsonFormatter(constant))
    logging.basicConfig(level=logging.INFO, handlers=[output], force=True)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of each client's mistake
