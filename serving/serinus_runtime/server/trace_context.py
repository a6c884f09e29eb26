"""Which trace a request belongs to, as its caller says: W3C Trace Context, read strictly.

https://www.w3.org/TR/trace-context/ What isn't written as it says is as if nothing had come.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from typing import NamedTuple

from serinus_runtime.server.errors import Headers
from serinus_runtime.server.request_body import RequestHeaders

TRACEPARENT_MAX_BYTES = 256
"""Longer ones are refused; version 00 has 55, and later ones may say more."""
TRACESTATE_MAX_BYTES = 512
"""What has to be handed on at least, and all that is."""
TRACESTATE_MAX_MEMBERS = 32
TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})
NO_ID = bytes(8)
BEGUN = "serinus.begun"
"""Key in a scope: the span that its request has, or would have if it were in the sample."""

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_FIRST_VERSION, _NO_VERSION = b"00", b"ff"
_SAMPLED = 1
_MEMBER = re.compile(
    r"([a-z0-9][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)


class Trace(NamedTuple):
    """The trace of one request, and the span that it was sent from.

    `parent_id` is empty for the first span of a trace, `state` what came as `tracestate`.
    """

    trace_id: bytes
    parent_id: bytes
    sampled: bool
    state: bytes = b""


class Begun(NamedTuple):
    """The span of one request: its trace, and its own id."""

    trace: Trace
    span_id: bytes


CALL_BEGUN: ContextVar[Begun | None] = ContextVar("CALL_BEGUN", default=None)
"""As `BEGUN`, of the call over gRPC that is being answered."""


def onward(begun: Begun) -> Headers:
    """Headers of a request to others that this one causes: its span is theirs' parent."""
    trace = begun.trace
    parent = f"00-{trace.trace_id.hex()}-{begun.span_id.hex()}-{_SAMPLED * trace.sampled:02x}"
    state = state_to_keep(trace.state)
    told = ((b"traceparent", parent.encode()),)
    return (*told, (b"tracestate", state.encode())) if state else told


def trace_of(headers: RequestHeaders) -> Trace | None:
    """What the headers of a request say; None where they say nothing, or say it wrongly.

    Names of headers are in lower case.
    """
    given: bytes | None = None
    states: list[bytes] = []
    for name, value in headers:
        if name == b"traceparent":
            if given is not None:
                return None
            given = value
        elif name == b"tracestate":
            states.append(value)
    return None if given is None else _trace(given, states)


def _trace(given: bytes, states: Sequence[bytes]) -> Trace | None:
    if len(given) > TRACEPARENT_MAX_BYTES or (found := _TRACEPARENT.fullmatch(given)) is None:
        return None
    version, trace, parent, flags, more = found.groups()
    if version == _NO_VERSION or (version == _FIRST_VERSION and more is not None):
        return None
    trace_id, parent_id = bytes.fromhex(trace.decode()), bytes.fromhex(parent.decode())
    if not any(trace_id) or parent_id == NO_ID:
        return None
    return Trace(trace_id, parent_id, bool(int(flags, 16) & _SAMPLED), _bounded(states))


def _bounded(states: Sequence[bytes]) -> bytes:
    size = sum(len(state) + 1 for state in states)
    return b",".join(states) if 0 < size <= TRACESTATE_MAX_BYTES + 1 else b""


def state_to_keep(given: bytes) -> str:
    """A `tracestate` that may be handed on; empty where any of its members is wrong."""
    text = given.decode("latin-1")
    members = [member for one in text.split(",") if (member := one.strip(" \t"))]
    keys = [member.partition("=")[0] for member in members]
    if len(members) > TRACESTATE_MAX_MEMBERS or len(set(keys)) < len(keys):
        return ""
    return ",".join(members) if all(map(_MEMBER.fullmatch, members)) else ""
