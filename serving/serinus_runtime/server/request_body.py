"""Reading a request's body within a limit, and the JSON in it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, TypeAlias

import orjson

from serinus_runtime.artifact.encoding import shown
from serinus_runtime.server.errors import BadRequest, Endless, NotJson, TooLarge

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
RequestHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values."""

Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

RECEIVED_AT = "received_at"
"""Key in a scope's `state`: monotonic time of the request's last byte, where it is known."""

_DISCARDED_BODIES = 8
"""An oversized body is read up to this many limits before the answer: a client that is still
sending when the connection closes would see a reset instead of the 413."""

EXPECTS_GO_ON = b"100-continue"
"""What a client expects that sends its body only once it is told to."""

_BODY_HEADERS = {
    b"inference-header-content-length": "send the tensors' data as JSON",
    b"upgrade": "leave it out, its request's body isn't read",
}
"""Headers that say that a body isn't plain JSON, and what to do."""


class ClientGone(Exception):
    """The client left, or was turned away, before its request was complete."""


async def read_body(scope: Scope, receive: Receive, limit_bytes: int) -> bytes:
    """The whole body; raises `TooLarge` over the limit and `ClientGone`.

    A client that asks whether to send more than that is told not to: nothing is received.
    """
    if announced_bytes(scope) > limit_bytes:
        raise Endless(_over(limit_bytes))
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] != "http.request":
        raise ClientGone
    size = len(body)
    parts = bytearray()
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size <= limit_bytes:
            parts += part  # a list of small ones would take many times what they hold
        elif size > _DISCARDED_BODIES * limit_bytes:
            raise Endless(_over(limit_bytes))
    if size > limit_bytes:
        raise TooLarge(_over(limit_bytes))
    return body + parts if parts else body


def announced_bytes(scope: Scope) -> int:
    """How many bytes a client will send once it is told to go on; 0 where it doesn't wait."""
    length, waits = 0, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)  # a number, or it wouldn't have been parsed
        elif name == b"expect":
            waits = scope["http_version"] == "1.1" and value.lower() == EXPECTS_GO_ON
    return length if waits else 0


def _over(limit_bytes: int) -> str:
    return f"the body is over the limit of {limit_bytes} bytes; send fewer rows"


def check_structure(body: bytes, limit: int) -> None:
    """Refuse a body of very many objects and lists before it is parsed.

    A parser can't be interrupted: each of them costs it memory and time in which nothing else runs,
    far more than the bytes do. Braces in texts count too; what is counted is an upper bound.
    """
    count = body.count(b"{") + body.count(b"[")
    if count > limit:
        raise TooLarge(
            f"the body: expected at most {limit} objects and lists, got {count}; send fewer rows"
        )


def received_at(scope: Scope) -> float:
    """Monotonic time at which the request was complete; now, where nobody noted it."""
    noted: float | None = scope.get("state", {}).get(RECEIVED_AT)
    return time.monotonic() if noted is None else noted


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; raises `BadRequest`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        advice = "; JSON has no such number: send null" if _is_nan(error) else ""
        raise NotJson(f"the body isn't JSON: {error}{advice}") from error
    if type(document) is not dict:
        raise BadRequest(f"the body: expected an object, got {shown(document)}")
    return document


def _is_nan(error: orjson.JSONDecodeError) -> bool:
    """Whether the parser stopped at a number as Python's own `json` and others write it."""
    return error.doc.startswith(("NaN", "Infinity"), error.pos)


def explained(error: NotJson, headers: RequestHeaders) -> str:
    """The error's message, with the header that tells why the body is no JSON."""
    for name, value in headers:
        advice = _BODY_HEADERS.get(name)
        if advice is not None:
            told = shown(value.decode("latin-1"))
            return f"{error.message}; `{name.decode()}` is {told}: {advice}"
    return error.message
