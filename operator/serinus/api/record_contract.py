"""A record of a decision, and a line of an export: what all that write and read them agree on.

A record is a ConfigMap `<deployment>-record-<n>`. A line of an export is one JSON object that holds
a record with the SHA-256 of its name and its decision, so that a line that was changed or cut is
seen. It is a function of the record alone: who exports a record again gets the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

RECORD_OF_LABEL = "serinus.dev/record-of"
RECORD_LABEL = "serinus.dev/record"
DECISION_KEY = "decision.json"
"""Under which a record holds the decision."""


class RecordError(ValueError):
    """What isn't a record, isn't as it was exported, or is there with another content."""


def record_name(deployment: str, number: int) -> str:
    """The ConfigMap that records one decision about a Deployment, for ever."""
    return f"{deployment}-record-{number}"


@dataclass(frozen=True, slots=True, order=True)
class DecisionRecord:
    """One decision as it was recorded; `text` is its JSON, to the byte."""

    namespace: str
    deployment: str
    number: int
    text: str

    @property
    def name(self) -> str:
        """Name of its ConfigMap."""
        return record_name(self.deployment, self.number)

    @property
    def key(self) -> tuple[str, str, int]:
        """By which it is told from all others."""
        return self.namespace, self.deployment, self.number


def record_in(config_map: Mapping[str, Any]) -> DecisionRecord:
    """The record that a ConfigMap holds.

    Raises
    ------
    RecordError
        If it holds none, whatever its labels say.
    """
    metadata = config_map["metadata"]
    labels, name = metadata.get("labels") or {}, metadata.get("name", "")
    deployment, number = labels.get(RECORD_OF_LABEL, ""), labels.get(RECORD_LABEL, "")
    text = (config_map.get("data") or {}).get(DECISION_KEY)
    if text is None or not number.isdecimal() or name != record_name(deployment, int(number)):
        raise RecordError(f"ConfigMap `{name}` has the labels of a record, and isn't one")
    return DecisionRecord(metadata.get("namespace", ""), deployment, int(number), text)


def line_of(record: DecisionRecord) -> str:
    """The record as a line of an export, without the end of the line."""
    decision = _read_back(record.text)
    held = {"text": record.text} if decision is None else {"decision": decision}
    return _compact(
        {
            "namespace": record.namespace,
            "deployment": record.deployment,
            "record": record.number,
            "sha256": _digest(record),
            **held,
        }
    )


def record_of_line(line: str) -> DecisionRecord:
    """The record that a line of an export holds.

    Raises
    ------
    RecordError
        If it holds none, or one that was changed since.
    """
    try:
        body = json.loads(line)
        text = body["text"] if "text" in body else _compact(body["decision"])
        namespace, deployment = str(body["namespace"]), str(body["deployment"])
        record = DecisionRecord(namespace, deployment, int(body["record"]), text)
        is_as_exported = _digest(record) == body["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError("no record") from error
    if not is_as_exported:
        raise RecordError(f"record `{record.name}` was changed: its sha256 isn't that of the line")
    return record


def each_once(records: Iterable[DecisionRecord]) -> tuple[DecisionRecord, ...]:
    """The records in order of their numbers, each once.

    Raises
    ------
    RecordError
        If two of one name differ.
    """
    found: dict[tuple[str, str, int], DecisionRecord] = {}
    for one in records:
        if found.setdefault(one.key, one) != one:
            raise RecordError(f"record `{one.name}` is there twice, with different contents")
    return tuple(sorted(found.values()))


def _read_back(text: str) -> Any | None:
    """What the text says in JSON; None where that wouldn't lead to the same text again."""
    try:
        decision = json.loads(text, parse_constant=_no_number)
    except ValueError:
        return None
    return decision if isinstance(decision, dict) and _compact(decision) == text else None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"`{word}` is no JSON")


def _compact(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _digest(record: DecisionRecord) -> str:
    return hashlib.sha256(f"{record.namespace}/{record.name}\n{record.text}".encode()).hexdigest()
