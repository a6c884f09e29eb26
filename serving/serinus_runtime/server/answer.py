"""What the server says to one request, before it is put on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from serinus_runtime.server.errors import Headers, NotJson, RequestError
from serinus_runtime.server.request_body import RequestHeaders, Send, explained

OK = 200
JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
INTERNAL_ERROR = "the server failed on this request; its log has the traceback"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body; `headers` are those beside type and length."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = ()

    async def send(self, send: Send) -> None:
        """Put it on the wire."""
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(self.body)),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def of_json(status: int, document: Any) -> Answer:
    """A JSON document."""
    return Answer(status, orjson.dumps(document))


def refusal(error: RequestError, headers: RequestHeaders) -> Answer:
    """What the client is told when its request can't be answered."""
    message = explained(error, headers) if isinstance(error, NotJson) else error.message
    return Answer(error.status, orjson.dumps({"error": message}), headers=error.headers)


FAILURE = of_json(500, {"error": INTERNAL_ERROR})
"""The server's own mistake; the client gets no details."""
