"""What is compressed becomes what it was, within its limit, or is told what is wrong with it."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from serinus_runtime.server.content_encoding import (
    MEMBERS_MAX,
    Coding,
    coding_of,
    decompressed,
    decompressed_at_once,
    plain_body,
)
from serinus_runtime.server.errors import BadRequest, RequestError, TooLarge, UnknownEncoding

PLAIN = b'{"rows": [{"distance": 1400}]}' * 5000
LIMIT = len(PLAIN)


def raw_deflate(plain: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(plain) + stream.flush()


def in_members(plain: bytes) -> bytes:
    half = len(plain) // 2
    return gzip.compress(plain[:half]) + gzip.compress(b"") + gzip.compress(plain[half:])


WAYS = {
    "gzip": (Coding.GZIP, gzip.compress),
    "gzip, stored": (Coding.GZIP, lambda plain: gzip.compress(plain, 0)),
    "gzip in members": (Coding.GZIP, in_members),
    "deflate": (Coding.DEFLATE, zlib.compress),
    "deflate without a header": (Coding.DEFLATE, raw_deflate),
}


@pytest.mark.parametrize(("coding", "compress"), WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("plain", [b"", b"{}", PLAIN[:65536], PLAIN], ids=len)
def test_a_body_becomes_what_it_was(
    coding: Coding, compress: Callable[[bytes], bytes], plain: bytes
) -> None:
    assert decompressed(coding, compress(plain), len(plain)) == plain


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_small_is_made_in_one_step(coding: str) -> None:
    compress = gzip.compress if coding == "gzip" else zlib.compress
    sent = compress(PLAIN)

    assert decompressed_at_once(Coding(coding), sent, LIMIT) == PLAIN
    assert decompressed_at_once(Coding(coding), sent, LIMIT - 1) is None
    assert decompressed_at_once(Coding(coding), sent[:-1], LIMIT) is None


def test_what_is_several_or_came_large_is_not_made_in_one_step() -> None:
    assert decompressed_at_once(Coding.GZIP, in_members(b"{}" * 9), 100) is None
    assert decompressed_at_once(Coding.GZIP, gzip.compress(PLAIN, 0), LIMIT) is None


@pytest.mark.parametrize(("coding", "compress"), WAYS.values(), ids=WAYS)
def test_one_byte_over_the_limit_is_refused(
    coding: Coding, compress: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(TooLarge, match=rf"over the limit of {LIMIT - 1} bytes once it is decompr"):
        decompressed(coding, compress(PLAIN), LIMIT - 1)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb, limit = gzip.compress(b" " * (32 << 20)), 1 << 20

    tracemalloc.start()
    with pytest.raises(TooLarge):
        decompressed(Coding.GZIP, bomb, limit)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2 * limit


def test_many_members_are_refused_however_small() -> None:
    some = gzip.compress(b"") * MEMBERS_MAX

    assert decompressed(Coding.GZIP, some, LIMIT) == b""
    with pytest.raises(TooLarge, match=r"at most 100 members of gzip, got more$"):
        decompressed(Coding.GZIP, some * 1000, LIMIT)


GZIPPED = gzip.compress(PLAIN)
WRONG = {
    "nothing at all": (Coding.GZIP, b"", "it breaks off"),
    "only a beginning": (Coding.GZIP, GZIPPED[:100], "it breaks off"),
    "without its checksum": (Coding.GZIP, GZIPPED[:-1], "it breaks off"),
    "a member that breaks off": (Coding.GZIP, GZIPPED + GZIPPED[:50], "it breaks off"),
    "another checksum": (Coding.GZIP, GZIPPED[:-8] + b"\0" * 8, "incorrect data check"),
    "no gzip": (Coding.GZIP, b'{"rows": []}', "incorrect header check"),
    "something behind it": (Coding.GZIP, GZIPPED + b"{}", "incorrect header check"),
    "deflate that breaks off": (Coding.DEFLATE, zlib.compress(PLAIN)[:-1], "it breaks off"),
    "no deflate": (Coding.DEFLATE, b'{"rows": []}', "invalid"),
    "something behind deflate": (
        Coding.DEFLATE,
        zlib.compress(PLAIN) + b"{}",
        "something follows its end",
    ),
}


@pytest.mark.parametrize(("coding", "sent", "why"), WRONG.values(), ids=WRONG)
def test_what_cant_be_decompressed_is_told_why(coding: Coding, sent: bytes, why: str) -> None:
    with pytest.raises(BadRequest, match="the body can't be decompressed as ") as refused:
        decompressed(coding, sent, 2 * LIMIT)

    assert why in refused.value.message


HEADERS = {
    "none": ([], None),
    "nothing": ([b""], None),
    "identity": ([b"identity"], None),
    "gzip": ([b"gzip"], Coding.GZIP),
    "gzip in capitals": ([b" GZIP "], Coding.GZIP),
    "the old name of gzip": ([b"x-gzip"], Coding.GZIP),
    "deflate and nothing": ([b"deflate, identity"], Coding.DEFLATE),
}


@pytest.mark.parametrize(("values", "coding"), HEADERS.values(), ids=HEADERS)
def test_the_header_names_a_coding(values: list[bytes], coding: Coding | None) -> None:
    headers = [(b"host", b"pod"), *((b"content-encoding", value) for value in values)]

    assert coding_of(headers) is coding


@pytest.mark.parametrize(
    "values", [[b"br"], [b"zstd"], [b"gzip, gzip"], [b"gzip", b"deflate"], [b"\xff"]]
)
def test_what_isnt_read_is_told_with_what_is(values: list[bytes]) -> None:
    headers = [(b"content-encoding", value) for value in values]

    with pytest.raises(UnknownEncoding, match="expected `gzip`, `deflate` or none, got the text"):
        coding_of(headers)

    assert (UnknownEncoding.status, UnknownEncoding.headers) == (
        415,
        ((b"accept-encoding", b"gzip, deflate"),),
    )


def test_a_body_that_came_plain_is_left_as_it_is() -> None:
    assert plain_body([(b"host", b"pod")], PLAIN, 0) is PLAIN
    assert plain_body([(b"content-encoding", b"gzip")], GZIPPED, LIMIT) == PLAIN
    with pytest.raises(RequestError):
        plain_body([(b"content-encoding", b"gzip")], PLAIN, LIMIT)
