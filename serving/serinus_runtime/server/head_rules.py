"""Which heads are refused though they can be parsed: where two servers might read them otherwise.

A gateway and a server behind it that don't agree on where a request ends, or whom it is for, answer
one client with what is another's. What HTTP says must be refused is refused here, before anything
of the request is looked at; what can't be parsed at all doesn't come so far.

References
----------
RFC 9112, 3.2 (Host), 3.2.2 (whole addresses), 6.1 (Transfer-Encoding); RFC 9110, 10.1.1 (Expect),
15.6.2 (501) and 15.6.6 (505).
"""

from __future__ import annotations

import re

from serinus_runtime.artifact.encoding import shown
from serinus_runtime.server.errors import (
    BadRequest,
    NotPossible,
    RequestError,
    UnknownExpectation,
    WrongVersion,
)
from serinus_runtime.server.request_body import EXPECTS_GO_ON, RequestHeaders

_RULED = frozenset({b"host", b"transfer-encoding", b"expect"})
_HOST = re.compile(rb"(?:[\w.~!$&'()*+,;=%-]*|\[[0-9A-Fa-fv.:%\w~-]+\])(?::\d*)?", re.ASCII)
_CHUNKED = b"chunked"
_WITHOUT_PATH = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)([?#].*|$)", re.DOTALL)


def refused_head(version: str, headers: RequestHeaders) -> RequestError | None:
    """Why a request of this version of HTTP isn't read; None: it is."""
    hosts: list[bytes] = []
    error: RequestError | None = None
    for name, value in headers:
        if name not in _RULED:
            continue
        if name == b"host":
            hosts.append(value)
        elif name == b"expect":
            error = error or _wrong_expectation(version, value)
        else:
            error = error or _wrong_framing(version, value)
    return _wrong_version(version) or error or _wrong_host(version, hosts)


def with_path(url: bytes) -> bytes:
    """A request's target; a whole address without a path is that of `/`."""
    found = None if url[:1] == b"/" else _WITHOUT_PATH.fullmatch(url)
    return url if found is None else found[1] + b"/" + found[2]


def _wrong_version(version: str) -> RequestError | None:
    if version in ("1.1", "1.0"):
        return None
    return WrongVersion(f"HTTP/{version}: expected HTTP/1.1 or HTTP/1.0")


def _wrong_host(version: str, hosts: list[bytes]) -> RequestError | None:
    if len(hosts) > 1:
        return BadRequest(f"`host`: expected one, got {len(hosts)}")
    if not hosts:
        return BadRequest("`host`: HTTP/1.1 requires it") if version == "1.1" else None
    if _HOST.fullmatch(hosts[0]) is None:
        told = shown(hosts[0].decode("latin-1"))
        return BadRequest(f"`host`: expected a name or an address, got {told}")
    return None


def _wrong_framing(version: str, value: bytes) -> RequestError | None:
    """A body ends where its chunks do, or after so many bytes; nothing else is understood."""
    if version != "1.1":
        return BadRequest(f"`transfer-encoding`: HTTP/{version} has none")
    if value.strip().lower() == _CHUNKED:
        return None
    told = shown(value.decode("latin-1"))
    return NotPossible(f"`transfer-encoding`: expected `chunked`, got {told}")


def _wrong_expectation(version: str, value: bytes) -> RequestError | None:
    if version != "1.1" or value.lower() == EXPECTS_GO_ON:
        return None  # of HTTP/1.0 it is to be overlooked
    told = shown(value.decode("latin-1"))
    return UnknownExpectation(f"`expect`: expected `{EXPECTS_GO_ON.decode()}`, got {told}")
