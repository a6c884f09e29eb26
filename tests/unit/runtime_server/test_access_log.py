"""A line for each request, none that waits for a reader, and no count lost."""

import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.access_lines import TEXT_MAX_CHARACTERS
from serinus_runtime.server.access_log import (
    WAITING_MAX,
    AccessCounts,
    AccessLog,
    whole_lines_to_standard_output,
)
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.request_listeners import AnsweredRequest
from tests.support.model_servers import Client
from tests.support.trained_models import flights

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DEADLINE_SECONDS = 20


class Output:
    """What was written; whoever writes waits while nobody reads."""

    def __init__(self) -> None:
        self.content = b""
        self.is_read = threading.Event()
        self.is_read.set()

    def write(self, lines: bytes) -> None:
        self.is_read.wait(DEADLINE_SECONDS)
        self.content += lines

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.content.splitlines()]


@pytest.fixture
def output() -> Output:
    return Output()


@pytest.fixture
def log(output: Output) -> AccessLog:
    return AccessLog({"deployment": "delay"}, output.write)


def offer(log: AccessLog, path: str = "/predict", status: int = 200, **headers: str) -> None:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client, answer = ("10.0.0.7", 4711), Answer(status, b"x" * 99)
    log.offer(AnsweredRequest("POST", path, named, client, time.monotonic(), answer))


def written(log: AccessLog) -> None:
    log.start()
    log.close(DEADLINE_SECONDS)


def test_a_line_says_who_asked_what_and_what_came_of_it(log: AccessLog, output: Output) -> None:
    offer(log, content_length="17", x_request_id="r-1", cookie="secret")
    written(log)

    (line,) = output.lines()
    seconds, at = line.pop("duration_seconds"), line.pop("time")
    assert line == {
        "level": "info",
        "logger": "access",
        "message": "request answered",
        "deployment": "delay",
        "method": "POST",
        "path": "/predict",
        "status": 200,
        "answer_bytes": 99,
        "client": "10.0.0.7",
        "request_bytes": 17,
        "request_id": "r-1",
    }
    assert 0 <= seconds < DEADLINE_SECONDS
    assert at.endswith("+00:00")


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (f"00-{TRACE}-{SPAN}-01", {"trace_id": TRACE, "parent_span_id": SPAN}),
        (f"cc-{TRACE}-{SPAN}-01-more", {"trace_id": TRACE, "parent_span_id": SPAN}),
        (f"cc-{TRACE}-{SPAN}-01-{'x' * 200}", {"trace_id": TRACE, "parent_span_id": SPAN}),
        (f"cc-{TRACE}-{SPAN}-01-{'x' * 300}", {}),
        (f"00-{TRACE}-{SPAN}-01-more", {}),
        (f"ff-{TRACE}-{SPAN}-01", {}),
        (f"00-{'0' * 32}-{SPAN}-01", {}),
        (f"00-{TRACE}-{'0' * 16}-01", {}),
        (f"00-{TRACE[:-1]}-{SPAN}-01", {}),
        ("00-nothing", {}),
        ('"} {"', {}),
    ],
)
def test_a_trace_s_ids_are_told_where_they_are_some(
    log: AccessLog, output: Output, header: str, told: dict[str, str]
) -> None:
    offer(log, traceparent=header)
    written(log)

    (line,) = output.lines()
    assert {name: line[name] for name in ("trace_id", "parent_span_id") if name in line} == told


def test_two_traces_are_none(log: AccessLog, output: Output) -> None:
    headers = [(b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())] * 2
    answer = Answer(200, b"")
    log.offer(AnsweredRequest("POST", "/predict", headers, None, time.monotonic(), answer))
    written(log)

    assert "trace_id" not in output.lines()[0]


def test_long_texts_are_cut(log: AccessLog, output: Output) -> None:
    offer(log, "/" + "x" * 5000, 404, x_request_id="y" * 5000)
    written(log)

    (line,) = output.lines()
    assert len(line["path"]) == len(line["request_id"]) == TEXT_MAX_CHARACTERS


def test_lines_that_nobody_reads_are_dropped_and_counted(log: AccessLog, output: Output) -> None:
    output.is_read.clear()
    for _ in range(WAITING_MAX + 7):
        offer(log)
    full = log.counts()
    output.is_read.set()
    written(log)

    assert full == AccessCounts(dropped=7)
    assert log.counts() == AccessCounts(written=WAITING_MAX, dropped=7)
    assert len(output.lines()) == WAITING_MAX


def offer_known(log: AccessLog, answer_bytes: int) -> None:
    head = log.head_of_lines("POST", "/predict", ((b"content-length", b"17"),))
    assert head is not None
    assert log.add_line is not None
    if not log.add_line(head.reference, b'"10.0.0.7"', 1000, answer_bytes):
        log.offer_again(head, b'"10.0.0.7"', 1000, answer_bytes)


def test_lines_of_both_ways_are_in_the_order_of_the_answers(log: AccessLog, output: Output) -> None:
    for size in range(2000):
        if size % 7 == 0:
            answer = Answer(200, b"x" * size)
            log.offer(AnsweredRequest("POST", "/", (), None, time.monotonic(), answer))
        else:
            offer_known(log, size)
    written(log)

    assert [line["answer_bytes"] for line in output.lines()] == list(range(2000))
    assert log.counts() == AccessCounts(written=2000)


def test_lines_of_known_heads_that_nobody_reads_are_dropped_and_counted(
    log: AccessLog, output: Output
) -> None:
    output.is_read.clear()
    log.start()
    for size in range(3 * WAITING_MAX):
        offer_known(log, size)
    dropped = log.counts().dropped
    output.is_read.set()
    log.close(DEADLINE_SECONDS)

    assert WAITING_MAX < dropped < 2 * WAITING_MAX
    assert log.counts() == AccessCounts(written=3 * WAITING_MAX - dropped, dropped=dropped)
    assert len(output.lines()) == 3 * WAITING_MAX - dropped


def test_no_line_is_lost_or_told_twice_while_they_are_written(
    log: AccessLog, output: Output
) -> None:
    log.start()
    for size in range(12_000):
        offer_known(log, size)
        if size % 999 == 0:
            time.sleep(0.001)
    log.close(DEADLINE_SECONDS)

    told = [line["answer_bytes"] for line in output.lines()]
    assert told == sorted(set(told))
    assert len(told) == log.counts().written == 12_000 - log.counts().dropped


def test_the_order_is_that_of_the_answers(log: AccessLog, output: Output) -> None:
    for status in range(600):
        offer(log, status=status)
    written(log)

    assert [line["status"] for line in output.lines()] == list(range(600))


def test_a_server_logs_what_it_answers_but_for_probes_and_scrapes(
    client_of: Callable[..., Client], two_classes: Packaged, log: AccessLog, output: Output
) -> None:
    client = client_of(two_classes).changed(access_log=log)

    client.post("/predict", {"rows": flights(1)})
    client.post("/predict", b"{")
    client.get("/v2")
    client.get("/nothing")
    client.get("/v2/health/ready")
    client.get("/livez")
    client.get("/metrics")
    client.serving.readiness.ready = False
    client.get("/v2/health/ready")
    written(log)

    assert [(line["path"], line["status"]) for line in output.lines()] == [
        ("/predict", 200),
        ("/predict", 400),
        ("/v2", 200),
        ("/nothing", 404),
        ("/v2/health/ready", 503),
    ]
    assert client.metric("serinus_access_log_lines_total", outcome="written") == 5
    assert client.metric("serinus_access_log_lines_total", outcome="dropped") == 0


def test_what_several_processes_write_to_one_pipe_are_whole_lines() -> None:
    lines = [b"%d %b\n" % (number, b"x" * (37 * number % 1500)) for number in range(300)]
    read_end, write_end = os.pipe()
    writers = [forked_writer(write_end, b"%d " % name, lines) for name in range(3)]
    os.close(write_end)
    with os.fdopen(read_end, "rb") as output:
        read = output.readlines()
    for pid in writers:
        os.waitpid(pid, 0)

    expected = [b"%d %b" % (name, line) for name in range(3) for line in lines]
    assert sorted(read) == sorted(expected)


def forked_writer(pipe: int, name: bytes, lines: list[bytes]) -> int:
    pid = os.fork()
    if not pid:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(pipe, "w")))
        whole_lines_to_standard_output(b"".join(name + line for line in lines))
        os._exit(0)
    return pid


def test_it_is_there_where_it_was_asked_for(
    client_of: Callable[..., Client], two_classes: Packaged
) -> None:
    assert client_of(two_classes).serving.access_log is None
    assert client_of(two_classes, ACCESS_LOG="true").serving.access_log is not None
