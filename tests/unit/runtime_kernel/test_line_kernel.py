"""Lines in a buffer; what they say is in `runtime_server/test_access_lines.py`."""

import json

import pytest

from serinus_runtime.kernel import line_kernel as module
from serinus_runtime.kernel.line_kernel import HeadOfLines, LineKernel, line_kernel

HEAD = HeadOfLines(b'"a":1', b',"b":2')


def kernel(bytes_max: int) -> LineKernel:
    made = line_kernel(bytes_max)
    assert made is not None
    return made


def test_lines_are_taken_once_and_in_their_order() -> None:
    lines = kernel(10_000)
    for size in range(5):
        assert lines.add(HEAD.reference, b'"me"', 17, size)

    content, count = lines.take()

    told = [json.loads(line) for line in content.splitlines()]
    assert [one["answer_bytes"] for one in told] == list(range(5)) == list(range(count))
    assert {(one["a"], one["b"], one["client"], one["duration_seconds"]) for one in told} == {
        (1, 2, "me", 0.000017)
    }
    assert lines.take() == (b"", 0)


@pytest.mark.parametrize("bytes_max", range(0, 1200, 61))
def test_what_finds_no_room_leaves_nothing(bytes_max: int) -> None:
    lines = kernel(bytes_max)
    added = sum(lines.add(HEAD.reference, b'"me"', 17, 99) for _ in range(20))

    content, count = lines.take()

    assert count == added < 20
    assert content.count(b"\n") == added
    assert len(content) <= bytes_max
    assert lines.add(HEAD.reference, b'"me"', 17, 99) == (added > 0)


def test_a_client_that_is_longer_than_the_buffer_is_refused() -> None:
    assert not kernel(1000).add(HEAD.reference, b"x" * 5000, 17, 99)


@pytest.mark.parametrize("found", [None, object()], ids=["no library", "a library without it"])
def test_without_the_functions_there_is_no_kernel(
    found: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "short_calls", lambda: found)

    assert line_kernel() is None
