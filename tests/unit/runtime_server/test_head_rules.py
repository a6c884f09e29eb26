"""Heads that two servers might read otherwise are refused, and no other."""

import pytest

from serinus_runtime.server.head_rules import refused_head, with_path

HOST = (b"host", b"pod")

READ = {
    "a name": ("1.1", [HOST]),
    "a name with a port": ("1.1", [(b"host", b"flight-delay.default.svc:80")]),
    "an address": ("1.1", [(b"host", b"[fe80::1%25eth0]:8080")]),
    "nobody": ("1.1", [(b"host", b"")]),
    "HTTP/1.0 without a host": ("1.0", []),
    "chunks": ("1.1", [HOST, (b"transfer-encoding", b"Chunked")]),
    "an expectation": ("1.1", [HOST, (b"expect", b"100-Continue")]),
    "an expectation of HTTP/1.0": ("1.0", [(b"expect", b"tea")]),
}


@pytest.mark.parametrize(("version", "headers"), READ.values(), ids=READ)
def test_a_head_is_read(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    assert refused_head(version, headers) is None


REFUSED = {
    "no host": ("1.1", [], 400, "`host`: HTTP/1.1 requires it"),
    "two hosts": ("1.1", [HOST, HOST], 400, "`host`: expected one, got 2"),
    "two hosts of HTTP/1.0": ("1.0", [HOST, HOST], 400, "`host`: expected one, got 2"),
    "a host with a space": ("1.1", [(b"host", b"a b")], 400, "`host`: expected a name"),
    "a host with a path": ("1.1", [(b"host", b"pod/x")], 400, "`host`: expected a name"),
    "a host with a user": ("1.1", [(b"host", b"a@pod")], 400, "`host`: expected a name"),
    "a host with a wrong port": ("1.1", [(b"host", b"pod:x")], 400, "`host`: expected a name"),
    "chunks in HTTP/1.0": (
        "1.0",
        [(b"transfer-encoding", b"chunked")],
        400,
        "`transfer-encoding`: HTTP/1.0 has none",
    ),
    "compressed chunks": (
        "1.1",
        [HOST, (b"transfer-encoding", b"gzip, chunked")],
        501,
        "`transfer-encoding`: expected `chunked`, got the text 'gzip, chunked'",
    ),
    "compressed chunks in two headers": (
        "1.1",
        [HOST, (b"transfer-encoding", b"gzip"), (b"transfer-encoding", b"chunked")],
        501,
        "`transfer-encoding`: expected `chunked`, got the text 'gzip'",
    ),
    "another expectation": (
        "1.1",
        [HOST, (b"expect", b"tea")],
        417,
        "`expect`: expected `100-continue`, got the text 'tea'",
    ),
    "HTTP/0.9": ("0.9", [], 505, "HTTP/0.9: expected HTTP/1.1 or HTTP/1.0"),
    "HTTP/2": ("2.0", [HOST], 505, "HTTP/2.0: expected HTTP/1.1 or HTTP/1.0"),
}


@pytest.mark.parametrize(("version", "headers", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_a_head_is_refused(
    version: str, headers: list[tuple[bytes, bytes]], status: int, message: str
) -> None:
    error = refused_head(version, headers)

    assert error is not None
    assert error.status == status
    assert error.message.startswith(message)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"/predict?x=http://y", b"/predict?x=http://y"),
        (b"*", b"*"),
        (b"pod:443", b"pod:443"),
        (b"http://pod", b"http://pod/"),
        (b"http://pod:80?x=/", b"http://pod:80/?x=/"),
        (b"http://pod/predict", b"http://pod/predict"),
    ],
)
def test_a_whole_address_without_a_path_is_that_of_the_root(url: bytes, expected: bytes) -> None:
    assert with_path(url) == expected
