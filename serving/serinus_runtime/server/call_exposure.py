"""A call over gRPC in an A/B test: whose it is, and what the canary's HTTP answer is to it.

The canary is asked over HTTP, as for any other request: a call is handed on as the JSON that it
would be. What can't be written as JSON is stable's.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import orjson

from serinus_runtime.server.ab_test import AbTest, Exposure, Relayed
from serinus_runtime.server.answer import OK
from serinus_runtime.server.errors import RequestError
from serinus_runtime.server.exchange import JsonObject
from serinus_runtime.server.request_body import RequestHeaders, Scope
from serinus_runtime.server.trace_context import BEGUN, CALL_BEGUN, TRACE_HEADERS

_PASSED_ON = TRACE_HEADERS | {b"x-request-id"}


@dataclass(slots=True)
class CallNotes:
    """What goes along with a message: its metadata, and whose answer it got, if not this pod's."""

    headers: RequestHeaders = ()
    revision: str | None = None


CALL_NOTES: ContextVar[CallNotes | None] = ContextVar("call_notes", default=None)
"""The notes of the call that is being answered; None: nobody takes any."""


class Refused(RequestError):
    """The canary refused the call; told as it told it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def exposure_of(ab_test: AbTest, path: str) -> Exposure | None:
    """What becomes of the call; None where it belongs to no test."""
    notes = CALL_NOTES.get()
    if notes is None:
        return None
    return ab_test.exposure({"path": path, "headers": notes.headers})


async def relayed(ab_test: AbTest, path: str, document: JsonObject) -> Relayed | None:
    """The canary's answer; None where there is none, and stable is to answer."""
    notes = CALL_NOTES.get()
    if notes is None or not _is_sayable(document):
        return None
    headers = [one for one in notes.headers if one[0] in _PASSED_ON]
    scope: Scope = {"path": path, "headers": headers, BEGUN: CALL_BEGUN.get()}
    said = await ab_test.relayed(scope, orjson.dumps(document))
    if said is not None:
        notes.revision = said.revision.decode("latin-1")
    return said


def told(said: Relayed) -> JsonObject:
    """The canary's answer as JSON; raises `Refused`."""
    document: Any = orjson.loads(said.body)
    if said.status != OK:
        raise Refused(said.status, str(document["error"]))
    answered: JsonObject = document
    return answered


def _is_sayable(document: JsonObject) -> bool:
    """Whether JSON has all of its values: it has no infinity."""
    return not any(
        type(value) is float and math.isinf(value)
        for tensor in document["inputs"]
        for value in tensor["data"]
    )
