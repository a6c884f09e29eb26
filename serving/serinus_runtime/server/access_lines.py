"""What a line of the access log says of a request, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from serinus_runtime.server.answer import OK
from serinus_runtime.server.request_body import RequestHeaders
from serinus_runtime.server.request_listeners import AnsweredRequest
from serinus_runtime.server.trace_context import TRACEPARENT_MAX_BYTES, trace_of

TEXT_MAX_CHARACTERS = 200
_KEPT_BYTES = {
    b"traceparent": TRACEPARENT_MAX_BYTES + 1,  # so that a longer one is still too long
    b"x-request-id": TEXT_MAX_CHARACTERS,
    b"content-length": TEXT_MAX_CHARACTERS,
}
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class AccessEntry(NamedTuple):
    """A request that was answered. `seconds` are those from its last byte to its answer."""

    at_ns: int
    method: str
    path: str
    status: int
    seconds: float
    answer_bytes: int
    client: str
    headers: tuple[tuple[bytes, bytes], ...]


def entry_of(request: AnsweredRequest, at_ns: int, now: float) -> AccessEntry:
    """What the line of a request needs that was answered then."""
    return AccessEntry(
        at_ns,
        request.method,
        request.path[:TEXT_MAX_CHARACTERS],
        request.answer.status,
        now - request.received_at,
        len(request.answer.body),
        client_of(request.client),
        _kept(request.headers),
    )


def client_of(address: tuple[str, int] | None) -> str:
    """Who asked, as a line says it."""
    return address[0] if address else ""


def line_of(entry: AccessEntry, constant: Mapping[str, str]) -> bytes:
    """The line of an entry, with its end."""
    at = _1970 + timedelta(milliseconds=entry.at_ns // 1_000_000)
    line: dict[str, Any] = {
        "time": at.isoformat(timespec="milliseconds"),
        **_told_before(constant, entry.method, entry.path, entry.status),
        "duration_seconds": round(entry.seconds * 1e6) / 1e6,
        "answer_bytes": entry.answer_bytes,
        "client": entry.client,
        **_named(entry.headers),
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _told_before(
    constant: Mapping[str, str], method: str, path: str, status: int
) -> dict[str, Any]:
    return {
        "level": "info",
        "logger": "access",
        "message": "request answered",
        **constant,
        "method": method,
        "path": path,
        "status": status,
    }


def around_what_varies(
    constant: Mapping[str, str], method: str, path: str, headers: RequestHeaders
) -> tuple[bytes, bytes]:
    """The line of a request that is answered with 200, but for what isn't known before.

    That is the time before the first part, which follows a comma, and between the two how long it
    took, how long the answer is, and who asked.
    """
    before = _told_before(constant, method, path[:TEXT_MAX_CHARACTERS], OK)
    named = orjson.dumps(_named(_kept(headers)))[1:-1]
    return orjson.dumps(before)[1:-1], b"," + named if named else b""


def _kept(headers: RequestHeaders) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(
        (name, value[: _KEPT_BYTES[name]]) for name, value in headers if name in _KEPT_BYTES
    )


def _named(headers: RequestHeaders) -> dict[str, Any]:
    """What the headers tell, of those that tell something."""
    found: dict[str, Any] = {}
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            found["request_bytes"] = int(value)
        elif name == b"x-request-id":
            found["request_id"] = value.decode("latin-1")
    trace = trace_of(headers)
    if trace is not None:
        found |= {"trace_id": trace.trace_id.hex(), "parent_span_id": trace.parent_id.hex()}
    return found
