"""The reader of the audit log doesn't lose its place where the log is rotated."""

import json
from pathlib import Path

from tests.support.audit_log import AuditLog


def entry(name: str, verb: str = "patch", agent: str = "serinus-operator/1") -> str:
    reference = {"namespace": "shop", "name": name}
    return json.dumps({"verb": verb, "userAgent": agent, "objectRef": reference}) + "\n"


def names(log: AuditLog) -> list[str]:
    return [it["objectRef"]["name"] for it in log.operator_writes("shop")]


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_only_the_operators_writes_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    append(path, entry("before"))

    with AuditLog(path) as log:
        append(path, entry("read", verb="get") + entry("theirs", agent="kubectl/1") + entry("ours"))

        assert names(log) == ["ours"]
        assert log.operator_writes("elsewhere") == []


def test_a_line_that_is_half_written_is_read_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    path.touch()
    whole = entry("ours")

    with AuditLog(path) as log:
        append(path, whole[:20])
        assert names(log) == []
        append(path, whole[20:])
        assert names(log) == ["ours"]


def test_a_rotation_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    append(path, entry("long ago") * 100)

    with AuditLog(path) as log:
        append(path, entry("first"))
        assert names(log) == ["first"]
        append(path, entry("second"))
        path.rename(tmp_path / "audit-1.json")
        append(path, entry("third"))

        assert names(log) == ["first", "second", "third"]
