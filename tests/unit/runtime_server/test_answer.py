"""What each kind of refusal looks like on the wire."""

import orjson
import pytest

from serinus_runtime.server.answer import FAILURE, Answer, Headers, refusal
from serinus_runtime.server.errors import (
    BadRequest,
    Endless,
    NotFound,
    NotJson,
    Overloaded,
    RequestError,
    TooLarge,
    UnknownEncoding,
    WrongMethod,
)
from serinus_runtime.server.request_body import Message

SCOPE = {"headers": [(b"upgrade", b"h2c")]}


@pytest.mark.parametrize(
    ("error", "status", "message", "headers"),
    [
        (BadRequest("x"), 400, "x", ()),
        (
            NotJson("x"),
            400,
            "x; `upgrade` is the text 'h2c': leave it out, its request's body isn't read",
            (),
        ),
        (NotFound("x"), 404, "x", ()),
        (WrongMethod("x", ["GET", "POST"]), 405, "x", ((b"allow", b"GET, POST"),)),
        (TooLarge("x"), 413, "x", ()),
        (UnknownEncoding("x"), 415, "x", ((b"accept-encoding", b"gzip, deflate"),)),
        (Endless("x"), 413, "x", ((b"connection", b"close"),)),
        (Overloaded("x"), 503, "x", ((b"retry-after", b"1"),)),
        (Overloaded("x", 300), 503, "x", ((b"retry-after", b"300"),)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_refusal_has_the_status_and_says_why(
    error: RequestError, status: int, message: str, headers: Headers
) -> None:
    answer = refusal(error, SCOPE["headers"])

    assert (answer.status, answer.headers) == (status, headers)
    assert orjson.loads(answer.body) == {"error": message}


async def test_an_answer_tells_its_type_and_length() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Answer(200, b"{}", headers=((b"x", b"y"),)).send(send)

    assert sent[0]["status"] == 200
    assert sent[0]["headers"] == [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"x", b"y"),
    ]
    assert sent[1]["body"] == b"{}"


def test_a_failure_tells_no_details() -> None:
    assert (FAILURE.status, list(orjson.loads(FAILURE.body))) == (500, ["error"])
