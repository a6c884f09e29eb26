"""Which heads are kept."""

import pytest

from serinus_runtime.server.known_heads import (
    HEAD_BYTES_MAX,
    HEADS_MAX,
    KnownHead,
    KnownHeads,
)

HEAD = b"POST /predict HTTP/1.1\r\ncontent-length: 2\r\n\r\n"


def known(*headers: tuple[bytes, bytes], body_bytes: int = 2) -> KnownHead:
    return KnownHead(b"/predict", headers, body_bytes, is_plain=True)


def test_a_head_that_came_is_known_again() -> None:
    heads = KnownHeads()
    heads.learn(HEAD, known((b"content-length", b"2")))

    assert heads.of(HEAD) == known((b"content-length", b"2"))
    assert heads.of(HEAD + b" ") is None


NOT_KEPT = {
    "without the length of its body": [],
    "with another length": [(b"content-length", b"3")],
    "with a length written otherwise": [(b"content-length", b"02")],
    "with two lengths": [(b"content-length", b"2"), (b"content-length", b"2")],
    "of a trace": [(b"content-length", b"2"), (b"traceparent", b"00-1-2-01")],
    "of a trace of others": [(b"content-length", b"2"), (b"x-amzn-trace-id", b"Root=1")],
    "with a name of its own": [(b"content-length", b"2"), (b"x-request-id", b"7")],
    "that asks for permission": [(b"content-length", b"2"), (b"expect", b"100-continue")],
    "that asks for another protocol": [(b"content-length", b"2"), (b"upgrade", b"h2c")],
}


@pytest.mark.parametrize("headers", NOT_KEPT.values(), ids=NOT_KEPT)
def test_a_head_is_not_kept(headers: list[tuple[bytes, bytes]]) -> None:
    heads = KnownHeads()
    heads.learn(HEAD, known(*headers))

    assert heads.of(HEAD) is None


def test_a_long_head_is_not_kept() -> None:
    heads = KnownHeads()
    long = b"x" * (HEAD_BYTES_MAX + 1)
    heads.learn(long, known((b"content-length", b"2")))

    assert heads.of(long) is None


def test_never_more_are_kept_than_there_is_room_for() -> None:
    heads = KnownHeads()
    for number in range(3 * HEADS_MAX):
        heads.learn(b"%d" % number, known((b"content-length", b"2")))
    kept = [number for number in range(3 * HEADS_MAX) if heads.of(b"%d" % number)]

    assert 1 <= len(kept) <= HEADS_MAX
    assert kept[-1] == 3 * HEADS_MAX - 1
