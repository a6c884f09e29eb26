"""Reading a request's body within a limit, and the JSON in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import orjson

from serinus_runtime.artifact.encoding import shown
from serinus_runtime.server.errors import BadRequest, TooLarge

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_DISCARDED_BODIES = 8
"""An oversized body is read up to this many limits before the answer: a client that is still
sending when the connection closes would see a reset instead of the 413."""


class ClientGone(Exception):
    """The client left before its request was complete."""


async def read_body(receive: Receive, limit_bytes: int) -> bytes:
    """The whole body; raises `TooLarge` over the limit and `ClientGone`."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] != "http.request":
        raise ClientGone
    size = len(body)
    parts = [body]
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size <= limit_bytes:
            parts.append(part)
        elif size > _DISCARDED_BODIES * limit_bytes:
            break
    if size > limit_bytes:
        raise TooLarge(f"the body is over the limit of {limit_bytes} bytes; send fewer rows")
    return b"".join(parts) if len(parts) > 1 else body


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; raises `BadRequest`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body isn't JSON: {error}") from error
    if type(document) is not dict:
        raise BadRequest(f"the body: expected an object, got {shown(document)}")
    return document
