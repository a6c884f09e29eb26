"""One JSON object a line: a constant message, and the data as keys beside it.

Who has something to say of an object gives it as `extra={"about": ref}`: the line then has `group`,
`kind`, `namespace` and `name`.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from serinus.reconcile.decision import ObjectRef

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OF_KOPF = frozenset({"k8s_ref", "k8s_skip", "settings"})
_OURS = "serinus"


class JsonFormatter(logging.Formatter):
    """Formats a record; what was given as `extra` becomes keys of the line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        line.update(
            (key, value)
            for key, value in vars(record).items()
            if key not in _STANDARD and key not in line and key not in _OF_KOPF
        )
        about = line.pop("about", None)
        if isinstance(about, ObjectRef):
            line |= {
                "group": about.api_version.rpartition("/")[0],
                "kind": about.kind,
                "namespace": about.namespace,
                "name": about.name,
            }
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return json.dumps(line, default=str, ensure_ascii=False)


def log_to_stderr(level: str) -> None:
    """Send all records there: ours from `level` on, those of libraries from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(level)
