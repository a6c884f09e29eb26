"""A body is read whole within its limit; what can't be read is told, with the reason."""

import pytest

from serinus_runtime.server.errors import BadRequest, Endless, NotJson, TooLarge
from serinus_runtime.server.request_body import (
    ClientGone,
    Message,
    Scope,
    explained,
    json_object,
    read_body,
    received_at,
)

LIMIT = 10
SCOPE: Scope = {"headers": [(b"content-length", b"11")], "http_version": "1.1"}


class Body:
    """A body that comes in parts, to be received; None is a client that leaves."""

    def __init__(self, *parts: bytes | None) -> None:
        self.left = list(parts)

    async def __call__(self) -> Message:
        part = self.left.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(self.left)}


@pytest.mark.parametrize("parts", [(b"12345",), (b"", b"123", b"45"), (b"12345", b"")])
async def test_parts_are_put_together(parts: tuple[bytes, ...]) -> None:
    assert await read_body(SCOPE, Body(*parts), LIMIT) == b"12345"


@pytest.mark.parametrize("parts", [(b"x" * 11,), (b"x" * 10, b"x"), (b"x" * 79, b"x")])
async def test_what_is_over_the_limit_is_read_to_its_end_and_refused(
    parts: tuple[bytes, ...],
) -> None:
    body = Body(*parts, b"")

    with pytest.raises(TooLarge) as refused:
        await read_body(SCOPE, body, LIMIT)

    assert not isinstance(refused.value, Endless)
    assert body.left == []


async def test_what_has_no_end_is_given_up() -> None:
    with pytest.raises(Endless):
        await read_body(SCOPE, Body(*[b"x" * 10] * 1000), LIMIT)


WAITS = (b"expect", b"100-Continue")


async def test_who_asks_whether_to_send_too_much_is_told_before_anything_is_received() -> None:
    body = Body(b"x" * 11)

    with pytest.raises(Endless):
        await read_body(SCOPE | {"headers": [(b"content-length", b"11"), WAITS]}, body, LIMIT)

    assert body.left


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", [(b"content-length", b"10"), WAITS]),
        ("1.1", [(b"transfer-encoding", b"chunked"), WAITS]),
        ("1.0", [(b"content-length", b"11"), WAITS]),
    ],
)
async def test_who_may_send_it_is_heard(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    scope = {"headers": headers, "http_version": version}

    assert await read_body(scope, Body(b"12345"), LIMIT) == b"12345"


@pytest.mark.parametrize("parts", [(None,), (b"123", None)])
async def test_a_client_that_leaves_is_no_request(parts: tuple[bytes | None, ...]) -> None:
    with pytest.raises(ClientGone):
        await read_body(SCOPE, Body(*parts), LIMIT)


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"{} {}", b'{"x": NaN}', b'{"x": Infinity}', DEEP, b'"\\ud800"']
)
def test_what_is_no_json_is_told(body: bytes) -> None:
    with pytest.raises(NotJson, match=r"^the body isn't JSON: "):
        json_object(body)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_doesnt_have_is_told(number: str) -> None:
    with pytest.raises(NotJson, match=r"JSON has no such number: send null$"):
        json_object(f'{{"distance": ["Ä", {number}]}}'.encode())


def test_a_body_that_is_no_object_is_told() -> None:
    with pytest.raises(BadRequest, match=r"^the body: expected an object, got a list of 0$"):
        json_object(b"[]")


def test_the_last_of_two_fields_of_one_name_counts() -> None:
    assert json_object(b'{"rows": 1, "rows": 2}') == {"rows": 2}


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ((b"content-type", b"text/plain"), ""),
        (
            (b"inference-header-content-length", b"12"),
            "; `inference-header-content-length` is the text '12': send the tensors' data as JSON",
        ),
    ],
)
def test_the_header_that_tells_why_is_named(header: tuple[bytes, bytes], told: str) -> None:
    headers = [(b"host", b"pod"), header]

    assert explained(NotJson("the body isn't JSON"), headers) == f"the body isn't JSON{told}"


def test_the_time_of_the_last_byte_is_what_the_connection_noted() -> None:
    assert received_at({"state": {"received_at": 5.0}}) == 5.0
    assert received_at({}) > 0
