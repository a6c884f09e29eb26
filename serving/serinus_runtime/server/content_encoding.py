"""Bodies that come compressed: `Content-Encoding: gzip` or `deflate`, within the limit of a body.

What counts is what a body becomes. A few bytes may become gigabytes, so it is made in pieces and
given up with the first one that is over the limit. A body becomes large on a thread only: what is
small is made in one step, and whether it is shows in that step.

`deflate` is the zlib format (RFC 1950); what leaves out its header, as some clients do, is read,
too.

References
----------
RFC 9110, 8.4 (content codings) and 15.5.16 (415); RFC 1950 to 1952.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from enum import Enum

from serinus_runtime.artifact.encoding import shown
from serinus_runtime.server.errors import BadRequest, TooLarge, UnknownEncoding
from serinus_runtime.server.request_body import RequestHeaders

HEADER = b"content-encoding"
MEMBERS_MAX = 100
"""A body in gzip may be several, one after the other; each of them costs time, however small."""

_PIECE_BYTES = 64 << 10
_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15
_NOTHING = frozenset({b"", b"identity"})


class Coding(Enum):
    """How a body was compressed."""

    GZIP = "gzip"
    DEFLATE = "deflate"


_CODINGS = {b"gzip": Coding.GZIP, b"x-gzip": Coding.GZIP, b"deflate": Coding.DEFLATE}


def coding_of(headers: RequestHeaders) -> Coding | None:
    """How a body with these headers was compressed, None: it wasn't; raises `UnknownEncoding`."""
    told = [value for name, value in headers if name == HEADER]
    if not told:
        return None  # as most requests
    named = [one.strip().lower() for one in b",".join(told).split(b",")]
    named = [one for one in named if one not in _NOTHING]
    if not named:
        return None
    coding = _CODINGS.get(named[0])
    if coding is None or len(named) > 1:
        raise UnknownEncoding(
            f"`{HEADER.decode()}`: expected `gzip`, `deflate` or none, got "
            f"{shown(b', '.join(named).decode('latin-1'))}"
        )
    return coding


def plain_body(headers: RequestHeaders, body: bytes, limit_bytes: int) -> bytes:
    """The body as it was before it was compressed, if it was; raises `RequestError`."""
    coding = coding_of(headers)
    return body if coding is None else decompressed(coding, body, limit_bytes)


def decompressed_at_once(coding: Coding, body: bytes, most_bytes: int) -> bytes | None:
    """What a body becomes in one step; None where it is more than `most_bytes`, or isn't whole."""
    if len(body) > most_bytes:
        return None
    stream = _stream(coding, body)
    try:
        made = stream.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise _corrupt(coding, _reason(error)) from error
    return made if stream.eof and len(made) <= most_bytes and not stream.unused_data else None


def decompressed(coding: Coding, body: bytes, limit_bytes: int) -> bytes:
    """What a body becomes.

    Raises
    ------
    TooLarge
        As soon as it is over the limit.
    BadRequest
        It breaks off, is damaged, or something follows it.
    """
    pieces, size = [], 0
    try:
        for piece in _pieces(coding, body):
            pieces.append(piece)
            size += len(piece)
            if size > limit_bytes:
                raise TooLarge(
                    f"the body is over the limit of {limit_bytes} bytes once it is decompressed; "
                    "send fewer rows"
                )
    except zlib.error as error:
        raise _corrupt(coding, _reason(error)) from error
    return b"".join(pieces)


def _pieces(coding: Coding, body: bytes) -> Iterator[bytes]:
    """What a body becomes, in pieces, and none of them made before it is asked for."""
    stream, members = _stream(coding, body), 1
    for start in range(0, len(body), _PIECE_BYTES):
        data = body[start : start + _PIECE_BYTES]
        while data:
            if stream.eof:
                members += 1
                stream = _next_member(coding, members)
            yield stream.decompress(data, _PIECE_BYTES)
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
    while not stream.eof:
        piece = stream.decompress(b"", _PIECE_BYTES)
        if not piece and not stream.eof:
            raise _corrupt(coding, "it breaks off")
        yield piece


def _next_member(coding: Coding, members: int) -> zlib._Decompress:
    if coding is not Coding.GZIP:
        raise _corrupt(coding, "something follows its end")
    if members > MEMBERS_MAX:
        raise TooLarge(f"the body: expected at most {MEMBERS_MAX} members of gzip, got more")
    return zlib.decompressobj(_GZIP_BITS)


def _stream(coding: Coding, body: bytes) -> zlib._Decompress:
    if coding is Coding.GZIP:
        return zlib.decompressobj(_GZIP_BITS)
    return zlib.decompressobj(_ZLIB_BITS if _has_zlib_header(body) else _RAW_BITS)


def _has_zlib_header(body: bytes) -> bool:
    """Whether it begins with method 8 and a checksum of two bytes (RFC 1950, 2.2)."""
    return body[:1] != b"" and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _corrupt(coding: Coding, reason: str) -> BadRequest:
    return BadRequest(f"the body can't be decompressed as {coding.value}: {reason}")


def _reason(error: zlib.error) -> str:
    """What zlib says of the data, without its own number."""
    return str(error).partition(": ")[2] or str(error)
