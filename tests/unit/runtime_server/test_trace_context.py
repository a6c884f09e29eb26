"""A trace is what its standard says, and anything else is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.server.request_body import RequestHeaders
from serinus_runtime.server.trace_context import (
    TRACEPARENT_MAX_BYTES,
    TRACESTATE_MAX_BYTES,
    Begun,
    Trace,
    onward,
    state_to_keep,
    trace_of,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"


def headers(*parents: str, states: tuple[str, ...] = ()) -> RequestHeaders:
    return [
        (b"host", b"pod"),
        *((b"traceparent", one.encode("latin-1")) for one in parents),
        *((b"tracestate", one.encode("latin-1")) for one in states),
    ]


@pytest.mark.parametrize(
    ("given", "sampled"),
    [
        (GIVEN, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-later-versions-say", True),
    ],
)
def test_trace_parent_and_its_decision_are_read(given: str, sampled: bool) -> None:
    wanted = Trace(bytes.fromhex(TRACE), bytes.fromhex(SPAN), sampled)

    assert trace_of(headers(given)) == wanted


@pytest.mark.parametrize(
    "given",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}",
        f" {GIVEN}",
        f"{GIVEN} ",
        f"0x-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-{'x' * TRACEPARENT_MAX_BYTES}",
        f"cc-{TRACE}-{SPAN}-01-\n",
    ],
)
def test_what_is_written_otherwise_is_none(given: str) -> None:
    assert trace_of(headers(given)) is None


def test_two_are_none_and_so_is_a_state_alone() -> None:
    assert trace_of(headers(GIVEN, GIVEN)) is None
    assert trace_of(headers(states=("a=1",))) is None
    assert trace_of(()) is None


def test_the_state_comes_along_whatever_lines_it_is_in() -> None:
    trace = trace_of(headers(GIVEN, states=("a=1", "b=2,c=3")))

    assert trace is not None
    assert state_to_keep(trace.state) == "a=1,b=2,c=3"


@pytest.mark.parametrize(
    ("more_bytes", "kept"), [(0, TRACESTATE_MAX_BYTES), (1, 0)], ids=["as long", "longer"]
)
def test_a_state_is_kept_up_to_a_length(more_bytes: int, kept: int) -> None:
    state = "x" * (TRACESTATE_MAX_BYTES + more_bytes)
    trace = trace_of(headers(GIVEN, states=(state,)))

    assert trace is not None
    assert len(trace.state) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        (b" a=1 ,\tb=2,,", "a=1,b=2"),
        (b"tenant@vendor=x y", "tenant@vendor=x y"),
        (b"", ""),
        (b"a=1,a=2", ""),
        (b"A=1", ""),
        (b"a", ""),
        (b"a=", ""),
        (b"a=b=c", ""),
        (b"a=\xe9", ""),
        (b"a=1\r\nb: 2", ""),
        (b",".join(b"k%d=1" % n for n in range(32)), ",".join(f"k{n}=1" for n in range(32))),
        (b",".join(b"k%d=1" % n for n in range(33)), ""),
    ],
)
def test_a_state_is_kept_whole_or_not_at_all(given: bytes, kept: str) -> None:
    assert state_to_keep(given) == kept


NAMES = st.binary(min_size=8, max_size=8).filter(any)
STATES = st.sampled_from([b"", b"a=1", b"tenant@vendor=x y,b=2"])


@given(st.tuples(NAMES, NAMES), NAMES | st.just(b""), NAMES, st.booleans(), STATES)
def test_whoever_is_asked_next_is_told_its_parent_and_the_same_decision(
    trace_id: tuple[bytes, bytes], parent: bytes, own: bytes, sampled: bool, state: bytes
) -> None:
    trace = Trace(b"".join(trace_id), parent, sampled, state)

    assert trace_of(onward(Begun(trace, own))) == trace._replace(parent_id=own)


def test_a_state_that_is_wrong_goes_no_further() -> None:
    trace = Trace(bytes.fromhex(TRACE), b"", sampled=True, state=b"a=1\r\nhost: b")

    assert onward(Begun(trace, bytes.fromhex(SPAN))) == ((b"traceparent", GIVEN.encode()),)


@given(st.lists(st.tuples(st.sampled_from([b"traceparent", b"tracestate"]), st.binary())))
def test_no_bytes_are_an_error(given: list[tuple[bytes, bytes]]) -> None:
    trace = trace_of(given)

    assert trace is None or len(state_to_keep(trace.state)) <= TRACESTATE_MAX_BYTES
