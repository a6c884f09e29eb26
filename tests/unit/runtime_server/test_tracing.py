"""A span for each request in the sample, none that a request waits for, and no count lost."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.request_listeners import AnsweredRequest
from serinus_runtime.server.tracing import (
    BATCH_MAX,
    REST_MAX_SECONDS,
    TEXT_MAX_CHARACTERS,
    TOLD_SECONDS,
    TRIES_MAX,
    WAITING_MAX,
    Later,
    Refused,
    Sent,
    SpanCounts,
    SpanRecord,
    Taken,
    Tracing,
)
from tests.support.model_servers import Client
from tests.support.trained_models import flights

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DEADLINE_SECONDS = 20
AWAY = Later("the collector is away")


@dataclass
class Collector:
    """Answers this as often as it says, and then takes all; notes what it took."""

    answers: list[Sent] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    asked: int = 0

    def send(self, message: bytes) -> Sent:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else Taken()
        if isinstance(answer, Taken):
            self.messages.append(message)
        return answer


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def encoded(records: Sequence[SpanRecord]) -> bytes:
    return b"".join(b"%d " % record.status for record in records)


@dataclass
class Made:
    """A tracing with all that is around it."""

    collector: Collector
    clock: Clock
    tracing: Tracing
    records: list[SpanRecord]

    def offer(self, count: int = 1, parent: str | None = None, path: str = "/predict") -> None:
        headers = [(b"traceparent", parent.encode())] if parent else []
        for _ in range(count):
            received_at, answer = time.monotonic() - 1, Answer(200, b"")
            self.tracing.offer(
                AnsweredRequest("POST", path, headers, ("10.0.0.7", 4711), received_at, answer)
            )


def made(*answers: Sent, ratio: float = 1.0) -> Made:
    collector, clock, records = Collector([*answers]), Clock(), list[SpanRecord]()

    def encode(some: Sequence[SpanRecord]) -> bytes:
        records.extend(some)
        return encoded(some)

    return Made(collector, clock, Tracing(ratio, encode, collector.send, clock), records)


def test_a_span_is_as_long_as_the_request_and_in_its_trace() -> None:
    it = made()
    it.offer(parent=f"00-{TRACE}-{SPAN}-01")
    it.tracing.export()

    (record,) = it.records
    assert 1e9 <= record.ended_at_ns - record.began_at_ns < DEADLINE_SECONDS * 1e9
    assert abs(record.ended_at_ns - time.time_ns()) < DEADLINE_SECONDS * 1e9
    assert (record.begun.trace.trace_id.hex(), record.begun.trace.parent_id.hex()) == (TRACE, SPAN)
    assert (record.path, record.client) == ("/predict", "10.0.0.7")
    assert it.tracing.counts() == SpanCounts(exported=1)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
@pytest.mark.parametrize(("flags", "spans"), [("00", 0), ("01", 1)])
def test_whoever_began_the_trace_decides(ratio: float, flags: str, spans: int) -> None:
    it = made(ratio=ratio)
    it.offer(parent=f"00-{TRACE}-{SPAN}-{flags}")
    it.tracing.export()

    assert len(it.records) == spans


@pytest.mark.parametrize("parent", [None, "nothing", f"00-{TRACE}-{SPAN}-01-more"])
def test_a_request_with_no_trace_begins_one_where_the_sample_has_it(parent: str | None) -> None:
    none, all_of_them = made(ratio=0.0), made(ratio=1.0)
    for it in (none, all_of_them):
        it.offer(3, parent)
        it.tracing.export()

    assert none.records == []
    assert len({record.begun.trace.trace_id for record in all_of_them.records}) == 3
    assert {record.begun.trace.parent_id for record in all_of_them.records} == {b""}


def test_a_span_that_was_asked_for_before_is_the_one_that_is_noted() -> None:
    it = made(ratio=1.0)
    begun = it.tracing.begun([])
    never = made(ratio=0.0).tracing.begun([])
    for one in (begun, never):
        answer = Answer(200, b"")
        it.tracing.offer(
            AnsweredRequest("POST", "/predict", [], None, time.monotonic(), answer, one)
        )
    it.tracing.export()

    assert [record.begun for record in it.records] == [begun]


@given(st.floats(0, 1))
def test_what_is_in_the_sample_is_so_for_opentelemetry_too(ratio: float) -> None:
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    it = made(ratio=ratio)
    it.offer(50)
    it.tracing.export()

    bound = TraceIdRatioBased.get_bound_for_rate(ratio)
    ids = [int.from_bytes(record.begun.trace.trace_id) for record in it.records]
    assert all(number & TraceIdRatioBased.TRACE_ID_LIMIT < bound for number in ids)


def test_spans_that_find_no_room_are_dropped_and_counted() -> None:
    it = made()
    it.offer(WAITING_MAX + 7)
    full = it.tracing.counts()
    it.tracing.export()

    assert full == SpanCounts(dropped=7)
    assert it.tracing.counts() == SpanCounts(exported=WAITING_MAX, dropped=7)
    assert it.collector.asked == -(-WAITING_MAX // BATCH_MAX)


def test_what_waits_is_bounded_in_what_it_holds() -> None:
    it = made()
    it.offer(path="/" + "x" * 50_000, parent=f"cc-{TRACE}-{SPAN}-01-{'x' * 50_000}")
    it.offer(path="/" + "x" * 50_000)
    it.tracing.export()

    assert {len(record.path) for record in it.records} == {TEXT_MAX_CHARACTERS}
    assert {len(record.begun.trace.state) for record in it.records} == {0}


def test_a_collector_that_is_away_for_a_while_misses_nothing() -> None:
    it = made(AWAY, AWAY)
    it.offer(3)
    it.tracing.export()
    it.tracing.export()
    at_rest = it.collector.asked
    it.clock.now += REST_MAX_SECONDS
    it.tracing.export()
    it.clock.now += REST_MAX_SECONDS
    it.offer(2)
    it.tracing.export()

    assert at_rest == 1
    assert it.collector.messages == [b"200 " * 3, b"200 " * 2]
    assert it.tracing.counts() == SpanCounts(exported=5)


@pytest.mark.parametrize(("asks_for", "rests"), [(0.0, 2.0), (7.0, 7.0), (1e9, REST_MAX_SECONDS)])
def test_it_is_left_alone_for_as_long_as_it_asks_within_bounds(
    asks_for: float, rests: float
) -> None:
    it = made(Later("busy", asks_for))
    it.offer()
    it.tracing.export()
    it.clock.now += rests - 0.01
    it.tracing.export()
    before = it.collector.asked
    it.clock.now += 0.02
    it.tracing.export()

    assert (before, it.collector.asked) == (1, 2)


def test_a_batch_is_given_up_after_some_tries_and_the_next_one_tried() -> None:
    it = made(*[AWAY] * TRIES_MAX)
    it.offer(3)
    for _ in range(TRIES_MAX):
        it.tracing.export()
        it.clock.now += REST_MAX_SECONDS
    it.offer(2)
    it.tracing.export()

    assert it.collector.messages == [b"200 " * 2]
    assert it.tracing.counts() == SpanCounts(exported=2, failed=3)


def test_a_batch_that_is_refused_is_given_up_at_once() -> None:
    it = made(Refused("the collector answered 400"), Taken(rejected=1))
    it.offer(BATCH_MAX + 3)
    it.tracing.export()

    assert it.tracing.counts() == SpanCounts(exported=2, failed=BATCH_MAX + 1)


def test_the_log_says_why_once_a_while(caplog: pytest.LogCaptureFixture) -> None:
    it = made(*[Refused("the collector answered 400")] * 4)
    with caplog.at_level(logging.WARNING):
        for later in (0, 1, TOLD_SECONDS, 1):
            it.clock.now += later
            it.offer()
            it.tracing.export()

    assert len(caplog.records) == 2
    assert vars(caplog.records[0])["because"] == "the collector answered 400"
    assert vars(caplog.records[1])["spans_failed"] == 3


def test_what_waits_at_the_end_is_sent_even_after_a_refusal() -> None:
    it = made(AWAY)
    it.offer()
    it.tracing.export()
    it.offer(2)
    it.tracing.start()
    it.tracing.end()
    it.tracing.close(DEADLINE_SECONDS)

    assert it.tracing.counts() == SpanCounts(exported=3)


def test_a_collector_that_is_away_at_the_end_is_asked_once_and_the_rest_counted() -> None:
    it = made(AWAY)
    it.offer(3 * BATCH_MAX)
    it.tracing.export_last()

    assert it.collector.asked == 1
    assert it.tracing.counts() == SpanCounts(failed=3 * BATCH_MAX)


@pytest.mark.slow
def test_one_that_hangs_holds_up_neither_requests_nor_the_end() -> None:
    asked, over = threading.Event(), threading.Event()

    def hangs(_message: bytes) -> Sent:
        asked.set()
        over.wait(DEADLINE_SECONDS)
        return AWAY

    it = made()
    tracing = Tracing(1.0, encoded, hangs)
    it.tracing = tracing
    it.offer()
    tracing.start()
    assert asked.wait(DEADLINE_SECONDS)
    it.offer(WAITING_MAX + 1)
    tracing.close(0.01)
    counts = tracing.counts()
    over.set()
    tracing.close(DEADLINE_SECONDS)

    assert counts == SpanCounts(dropped=1)


def test_a_server_traces_what_it_answers_but_for_probes_and_scrapes(
    client_of: Callable[..., Client], two_classes: Packaged
) -> None:
    it = made()
    client = client_of(two_classes).changed(tracing=it.tracing)

    client.post("/predict", {"rows": flights(1)})
    client.post("/predict", b"{")
    client.get("/nothing")
    client.get("/v2/health/ready")
    client.get("/metrics")
    it.tracing.export()

    assert [(one.path, one.status) for one in it.records] == [
        ("/predict", 200),
        ("/predict", 400),
        ("/nothing", 404),
    ]
    assert client.metric("serinus_trace_spans_total", outcome="exported") == 3
    assert client.metric("serinus_trace_spans_total", outcome="dropped") == 0


def test_it_is_there_where_it_was_asked_for(
    client_of: Callable[..., Client], two_classes: Packaged
) -> None:
    asked_for = client_of(two_classes, TRACES_URL="http://collector:4318")

    assert client_of(two_classes).serving.tracing is None
    assert asked_for.serving.tracing is not None
