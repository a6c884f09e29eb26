"""A refused request is told why, once it was read where it comes anyway."""

import json

from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.refused_request import RefusedRequest
from serinus_runtime.server.request_body import Message

SCOPE = {"headers": [(b"content-length", b"4")], "http_version": "1.1"}


class Client:
    """Sends a body in parts, None: leaves; keeps what it is told."""

    def __init__(self, *parts: bytes | None) -> None:
        self.left = list(parts)
        self.told: list[Message] = []

    async def receive(self) -> Message:
        part = self.left.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(self.left)}

    async def send(self, message: Message) -> None:
        self.told.append(message)


async def told(client: Client, *, reads_body: bool) -> list[Message]:
    refused = RefusedRequest(BadRequest("why"), reads_body=reads_body)
    await refused(SCOPE, client.receive, client.send)
    return client.told


async def test_it_is_told_why_and_that_the_connection_ends() -> None:
    client = Client(b"ab", b"cd")

    start, body = await told(client, reads_body=True)

    assert start["status"] == 400
    assert (b"connection", b"close") in start["headers"]
    assert json.loads(body["body"]) == {"error": "why"}
    assert client.left == []


async def test_a_body_that_waits_to_be_asked_for_isnt() -> None:
    client = Client(b"abcd")

    assert len(await told(client, reads_body=False)) == 2
    assert client.left == [b"abcd"]


async def test_a_body_without_end_is_told_before_it_ends() -> None:
    client = Client(*[b"x" * (1 << 20)] * 20)

    assert len(await told(client, reads_body=True)) == 2
    assert client.left


async def test_who_has_left_is_told_nothing() -> None:
    assert await told(Client(b"a", None), reads_body=True) == []
