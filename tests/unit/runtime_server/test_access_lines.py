"""What C writes of a request is what Python writes of it."""

import re
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.kernel.line_kernel import HeadOfLines, line_kernel
from serinus_runtime.server.access_lines import (
    around_what_varies,
    client_of,
    entry_of,
    line_of,
)
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.request_listeners import AnsweredRequest

TIME = re.compile(rb'"time":"([^"]*)"')
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just(b"content-length"), st.sampled_from([b"0", b"17", b"x", b""])),
        st.tuples(st.just(b"x-request-id"), st.binary(max_size=300)),
        st.tuples(st.just(b"traceparent"), st.just(b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01")),
        st.tuples(st.just(b"cookie"), st.binary(max_size=9)),
    ),
    max_size=4,
)


@given(
    constant=st.dictionaries(st.sampled_from(["namespace", "deployment", "revision"]), TEXTS),
    path=st.text(st.characters(codec="latin-1"), max_size=300),
    headers=HEADERS,
    address=st.one_of(st.none(), st.tuples(TEXTS, st.just(1))),
    microseconds=st.one_of(st.integers(0, 2000), st.integers(0, 2**31 - 1)),
    size=st.integers(0, 1 << 18),
)
def test_both_write_the_same_line(
    constant: dict[str, str],
    path: str,
    headers: list[tuple[bytes, bytes]],
    address: tuple[str, int] | None,
    microseconds: int,
    size: int,
) -> None:
    kernel, answer = line_kernel(), Answer(200, b"x" * size)
    assert kernel is not None
    request = AnsweredRequest("POST", path, headers, address, 0.0, answer)
    by_python = line_of(entry_of(request, 0, microseconds / 1e6), constant)

    head = HeadOfLines(*around_what_varies(constant, "POST", path, headers))
    assert kernel.add(head.reference, orjson.dumps(client_of(address)), microseconds, size)
    by_c, count = kernel.take()

    assert count == 1
    assert TIME.sub(b"", by_c) == TIME.sub(b"", by_python)


def test_both_write_the_time_alike() -> None:
    kernel = line_kernel()
    assert kernel is not None
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    kernel.add(HeadOfLines(b"", b"").reference, b"0", 0, 0)
    by_c = TIME.search(kernel.take()[0])
    after = datetime.now(UTC)
    request = AnsweredRequest("POST", "", (), None, 0.0, Answer(200, b""))
    by_python = TIME.search(line_of(entry_of(request, time.time_ns(), 0.0), {}))

    assert by_c is not None
    assert by_python is not None
    assert before <= datetime.fromisoformat(by_c[1].decode()) <= after
    assert re.sub(rb"\d", b"0", by_c[1]) == re.sub(rb"\d", b"0", by_python[1])


@pytest.mark.parametrize(
    ("at_ns", "told"),
    [
        (0, "1970-01-01T00:00:00.000+00:00"),
        (1_795_953_600_123_999_999, "2026-11-29T12:00:00.123+00:00"),
    ],
)
def test_a_time_is_told_to_the_millisecond(at_ns: int, told: str) -> None:
    request = AnsweredRequest("POST", "/", (), None, 0.0, Answer(200, b""))

    found = TIME.search(line_of(entry_of(request, at_ns, 0.0), {}))

    assert found is not None
    assert found[1].decode() == told
