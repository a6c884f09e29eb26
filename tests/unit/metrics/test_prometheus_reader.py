"""Answers of Prometheus and of what stands in its place: samples or a typed failure."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from serinus.analysis.samples import Query, QueryFailure, QueryFailureKind, QueryResult, RangeVector
from serinus.metrics import prometheus_reader
from serinus.metrics.prometheus_reader import (
    NoMetricSource,
    PrometheusReader,
    PrometheusServer,
    parsed_answer,
)

AT = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
QUERY = Query("errors", 'serinus_requests_total{deployment="delay"}[1m]', AT)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def success(result_type: str, result: Any, **more: Any) -> bytes:
    data = {"resultType": result_type, "result": result}
    return json.dumps({"status": "success", "data": data, **more}).encode()


def failure(error_type: str, error: str) -> bytes:
    return json.dumps({"status": "error", "errorType": error_type, "error": error}).encode()


MATRIX = [
    {"metric": {"__name__": "x", "pod": "a"}, "values": [[1.5, "1"], [3, "NaN"], [4, "+Inf"]]},
    {"metric": {"pod": "b"}, "values": []},
]


def test_a_range_vector_keeps_its_samples_as_they_were_scraped() -> None:
    answer = parsed_answer(200, success("matrix", MATRIX))

    assert not isinstance(answer, QueryFailure)
    assert [one.labels["pod"] for one in answer] == ["a", "b"]
    assert answer[0].samples[0] == (1.5, 1.0)
    assert [str(value) for _, value in answer[0].samples] == ["1.0", "nan", "inf"]


def test_a_vector_becomes_series_of_one_sample() -> None:
    result = [{"metric": {"pod": "a"}, "value": [7, "0.25"]}]

    assert parsed_answer(200, success("vector", result)) == (
        RangeVector({"pod": "a"}, ((7.0, 0.25),)),
    )


def test_a_scalar_becomes_a_series_without_labels() -> None:
    assert parsed_answer(200, success("scalar", [7, "3"])) == (RangeVector({}, ((7.0, 3.0),)),)


def test_no_series_is_an_answer() -> None:
    assert parsed_answer(200, success("matrix", [])) == ()


KIND = QueryFailureKind
FAILURES = [
    pytest.param(400, failure("bad_data", "parse error"), KIND.REJECTED, "parse error", id="query"),
    pytest.param(422, failure("execution", "too many"), KIND.REJECTED, "too many", id="execution"),
    pytest.param(503, failure("timeout", "took too long"), KIND.TIMEOUT, "long", id="its timeout"),
    pytest.param(503, failure("unavailable", "starting"), KIND.UNREACHABLE, "start", id="starting"),
    pytest.param(500, failure("internal", "disk"), KIND.UNREACHABLE, "disk", id="internal"),
    pytest.param(502, b"<html>", KIND.UNREACHABLE, "502", id="a proxy without it"),
    pytest.param(401, b"no", KIND.REJECTED, "token", id="no token"),
    pytest.param(200, b"<html>hello", KIND.INVALID_ANSWER, "Prometheus?", id="something else"),
    pytest.param(200, b"[1]", KIND.INVALID_ANSWER, "Prometheus?", id="other JSON"),
    pytest.param(404, b"{}", KIND.REJECTED, "404", id="a wrong path"),
    pytest.param(200, b'{"status":"success"}', KIND.INVALID_ANSWER, "promises", id="no data"),
    pytest.param(200, success("matrix", [{}]), KIND.INVALID_ANSWER, "promises", id="odd series"),
    pytest.param(200, b"[" * 100_000, KIND.INVALID_ANSWER, "Prometheus?", id="nested for ever"),
    pytest.param(
        200,
        b'{"status":"success","data":{"resultType":"scalar","result":[1' + b"0" * 400 + b',"1"]}}',
        KIND.INVALID_ANSWER,
        "promises",
        id="a time beyond all numbers",
    ),
    pytest.param(200, success("string", [1, "x"]), KIND.INVALID_ANSWER, "string", id="a text"),
    pytest.param(
        200,
        success("vector", [{"metric": {}, "value": [1, "much"]}]),
        KIND.INVALID_ANSWER,
        "much",
        id="no number",
    ),
    pytest.param(
        200,
        success("matrix", MATRIX, warnings=["one store is away"]),
        KIND.INVALID_ANSWER,
        "one store is away",
        id="a partial answer",
    ),
]


@pytest.mark.parametrize(("code", "content", "kind", "part"), FAILURES)
def test_failures_have_a_kind_and_say_why(
    code: int, content: bytes, kind: QueryFailureKind, part: str
) -> None:
    answer = parsed_answer(code, content)

    assert isinstance(answer, QueryFailure)
    assert answer.kind is kind
    assert part in answer.message
    assert "\n" not in answer.message


async def ask(
    handler: Handler, *, token_file: Path | None = None, timeout_seconds: float = 5
) -> QueryResult:
    """What the reader makes of a server that answers with `handler`."""
    async with (
        serving(handler, token_file) as server,
        PrometheusReader(server, timeout_seconds=timeout_seconds) as reader,
    ):
        return (await reader.fetch([QUERY, QUERY]))[QUERY]


@contextlib.asynccontextmanager
async def serving(
    handler: Handler, token_file: Path | None = None
) -> AsyncIterator[PrometheusServer]:
    """A server on loopback that answers queries with `handler`."""
    app = web.Application()
    app.router.add_post("/api/v1/query", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield PrometheusServer(f"http://127.0.0.1:{runner.addresses[0][1]}/", token_file)
    finally:
        await runner.cleanup()


async def test_the_query_is_sent_as_it_stands_at_its_time(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        seen.append({**{key: str(value) for key, value in form.items()}, **request.headers})
        return web.Response(body=success("matrix", MATRIX))

    token = tmp_path / "token"
    token.write_text("rotated\n")
    answer = await ask(handler, token_file=token)

    assert not isinstance(answer, QueryFailure)
    assert len(seen) == 1
    assert seen[0]["query"] == QUERY.promql
    assert float(seen[0]["time"]) == AT.timestamp()
    assert seen[0]["Authorization"] == "Bearer rotated"


@pytest.mark.slow
async def test_a_large_answer_arrives_whole() -> None:
    series = [{"metric": {"pod": str(n)}, "values": [[n, "1"]] * 100} for n in range(500)]

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=success("matrix", series))

    answer = await ask(handler)

    assert not isinstance(answer, QueryFailure)
    assert len(answer) == 500


async def test_a_server_that_hangs_is_a_timeout() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    answer = await ask(handler, timeout_seconds=0.1)

    assert answer == QueryFailure(KIND.TIMEOUT, "no answer within 0.1 s")


async def test_a_server_that_is_away_is_unreachable() -> None:
    async with PrometheusReader(PrometheusServer("http://127.0.0.1:1")) as reader:
        answer = (await reader.fetch([QUERY]))[QUERY]

    assert isinstance(answer, QueryFailure)
    assert answer.kind is KIND.UNREACHABLE


async def test_a_token_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=success("matrix", []))

    answer = await ask(handler, token_file=tmp_path / "missing")

    assert isinstance(answer, QueryFailure)
    assert answer.kind is KIND.UNREACHABLE
    assert "missing" in answer.message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"s3cret\xff\xfe", id="no UTF-8"),
        pytest.param(b"s3cret\nand: a header", id="two lines"),
        pytest.param(b"s3cret\x00", id="a control character"),
        pytest.param("s3cretä".encode(), id="no ASCII"),
        pytest.param(b" \n", id="nothing"),
    ],
)
async def test_a_token_that_no_header_can_bear_is_told_and_not_shown(
    tmp_path: Path, content: bytes
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=success("matrix", []))

    token = tmp_path / "token"
    token.write_bytes(content)
    answer = await ask(handler, token_file=token)

    assert isinstance(answer, QueryFailure)
    assert answer.kind is KIND.UNREACHABLE
    assert str(token) in answer.message
    assert "s3cret" not in answer.message


async def test_while_the_server_hangs_only_the_first_wait() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    loop = asyncio.get_running_loop()
    queries = [Query(f"m{number}", "x[1m]", AT) for number in range(200)]
    async with serving(handler) as server, PrometheusReader(server, timeout_seconds=0.2) as reader:
        began = loop.time()
        answers = await reader.fetch(queries)
        waited = loop.time() - began

    assert {type(answer) for answer in answers.values()} == {QueryFailure}
    assert waited < 200 / 8 * 0.2 / 2


async def test_the_loop_goes_on_while_an_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Megabytes take a while, and the loop has a Lease to renew."""
    renewed, loop = threading.Event(), asyncio.get_running_loop()

    def slowly(code: int, content: bytes) -> QueryResult:
        loop.call_soon_threadsafe(renewed.set)
        assert renewed.wait(10)
        return parsed_answer(code, content)

    monkeypatch.setattr(prometheus_reader, "parsed_answer", slowly)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=success("matrix", []))

    assert await ask(handler) == ()


async def test_without_a_provider_each_query_fails_and_says_what_to_set() -> None:
    answer = (await NoMetricSource().fetch([QUERY]))[QUERY]

    assert isinstance(answer, QueryFailure)
    assert "prometheus.url" in answer.message
