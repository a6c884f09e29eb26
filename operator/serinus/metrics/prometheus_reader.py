"""Samples from a server with Prometheus' HTTP API: answers or typed failures, never an exception.

Counters are asked for as raw range vectors (an instant query of `metric[range]`), so that what
comes back are the samples as they were scraped, with their own timestamps. An answer with warnings
may be partial, and a partial answer is no answer.

References
----------
Prometheus HTTP API, "Instant queries" and "Expression query result formats".
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from serinus.analysis.samples import (
    Query,
    QueryFailure,
    QueryFailureKind,
    QueryResult,
    RangeVector,
)
from serinus.metrics.provider_guard import QUESTIONS_AT_ONCE, ProviderGuard

QUERY_TIMEOUT_SECONDS = 5.0
ANSWER_MAX_BYTES = 32 * 1024 * 1024
_DETAIL_MAX_LENGTH = 300


@dataclass(frozen=True, slots=True)
class PrometheusServer:
    """Where it is, and who we are: `token_file` is read for each query, as tokens are rotated."""

    url: str
    token_file: Path | None = None


class TokenUnreadableError(Exception):
    """The token file can't be used; the text says why, and nothing of what is in it."""


class PrometheusReader:
    """Implements `MetricSource`. Close it with `async with`.

    The timeout counts from when a query is sent; how it waits for its turn says `ProviderGuard`.
    """

    def __init__(
        self, server: PrometheusServer, *, timeout_seconds: float = QUERY_TIMEOUT_SECONDS
    ) -> None:
        self._server = server
        self._timeout_seconds = timeout_seconds
        self._guard = ProviderGuard()
        connector = aiohttp.TCPConnector(limit=QUESTIONS_AT_ONCE)
        self._session = aiohttp.ClientSession(connector=connector)

    async def __aenter__(self) -> PrometheusReader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
        """An answer to each query."""
        asked = tuple(dict.fromkeys(queries))
        answers = await asyncio.gather(*(self._in_turn(query) for query in asked))
        return dict(zip(asked, answers, strict=True))

    async def _in_turn(self, query: Query) -> QueryResult:
        return await self._guard.ask(lambda: self._answer(query))

    async def _answer(self, query: Query) -> QueryResult:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status, content = await self._ask(query)
        except TimeoutError:
            message = f"no answer within {self._timeout_seconds:g} s"
            return QueryFailure(QueryFailureKind.TIMEOUT, message)
        except TokenUnreadableError as error:
            return QueryFailure(QueryFailureKind.UNREACHABLE, str(error))
        except (aiohttp.ClientError, OSError) as error:
            return QueryFailure(QueryFailureKind.UNREACHABLE, _unreachable(error))
        # In a thread: megabytes take long enough to keep the loop from renewing the Lease.
        return await asyncio.to_thread(parsed_answer, status, content)

    async def _ask(self, query: Query) -> tuple[int, bytes]:
        # A POST: queries may be longer than what proxies let through in an address.
        form = {
            "query": query.promql,
            "time": f"{query.evaluated_at.timestamp():.3f}",
            "timeout": f"{self._timeout_seconds:g}s",
        }
        url = f"{self._server.url.rstrip('/')}/api/v1/query"
        async with self._session.post(url, data=form, headers=self._headers()) as response:
            content = await response.content.read(ANSWER_MAX_BYTES + 1)
            while len(content) <= ANSWER_MAX_BYTES:
                more = await response.content.read(ANSWER_MAX_BYTES + 1 - len(content))
                if not more:
                    break
                content += more
            return response.status, content

    def _headers(self) -> dict[str, str]:
        path = self._server.token_file
        return {} if path is None else {"Authorization": f"Bearer {_token(path)}"}


def _token(path: Path) -> str:
    """The token in the file: one line of printable ASCII, as a header can bear."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TokenUnreadableError(f"the token file `{path}` can't be read: {reason}") from None
    except UnicodeDecodeError:
        token = ""  # the error's text would show a part of it
    if not token or not (token.isascii() and token.isprintable()):
        message = f"the token file `{path}` doesn't hold one line of printable characters"
        raise TokenUnreadableError(message)
    return token


class NoMetricSource:
    """Implements `MetricSource` where none is configured."""

    async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
        """Say so to each query."""
        failure = QueryFailure(
            QueryFailureKind.UNREACHABLE,
            "no metrics provider is configured; set `prometheus.url` of the chart",
        )
        return dict.fromkeys(queries, failure)


def parsed_answer(code: int, content: bytes) -> QueryResult:
    """What the HTTP answer says."""
    if len(content) > ANSWER_MAX_BYTES:
        limit = f"the answer is longer than {ANSWER_MAX_BYTES} bytes"
        return QueryFailure(QueryFailureKind.INVALID_ANSWER, limit)
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return _not_prometheus(code)
    if code != 200 or answer.get("status") != "success":
        return _refusal(code, answer)
    if answer.get("warnings"):
        detail = "; ".join(str(warning) for warning in answer["warnings"])[:_DETAIL_MAX_LENGTH]
        message = f"the answer may be partial: {detail}"
        return QueryFailure(QueryFailureKind.INVALID_ANSWER, message)
    try:
        return _series(answer["data"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        message = f"the answer isn't what Prometheus' API promises: {error!r}"
        return QueryFailure(QueryFailureKind.INVALID_ANSWER, message[:_DETAIL_MAX_LENGTH])


def _series(data: Mapping[str, Any]) -> tuple[RangeVector, ...]:
    kind, result = data["resultType"], data["result"]
    if kind == "matrix":
        return tuple(_vector(series["metric"], series["values"]) for series in result)
    if kind == "vector":
        return tuple(_vector(series["metric"], [series["value"]]) for series in result)
    if kind == "scalar":
        return (_vector({}, [result]),)
    raise ValueError(f"result type {kind!r}")


def _vector(labels: Mapping[str, str], pairs: Iterable[tuple[float, str]]) -> RangeVector:
    samples = tuple((float(at), float(value)) for at, value in pairs)
    if any(not math.isfinite(at) for at, _ in samples):
        raise ValueError("a sample without time")
    return RangeVector(dict(labels), samples)


def _refusal(code: int, answer: Mapping[str, Any]) -> QueryFailure:
    """Its own errors by their type, where it gives one, else by the HTTP status."""
    error_type = str(answer.get("errorType", ""))
    detail = str(answer.get("error", "")) or f"HTTP status {code}"
    if error_type in ("timeout", "canceled"):
        kind = QueryFailureKind.TIMEOUT
    elif error_type in ("unavailable", "internal") or (code >= 500 and not error_type):
        kind = QueryFailureKind.UNREACHABLE
    else:
        kind = QueryFailureKind.REJECTED
    return QueryFailure(kind, detail[:_DETAIL_MAX_LENGTH])


def _not_prometheus(code: int) -> QueryFailure:
    """An answer that isn't JSON: of a proxy in between, or of something else altogether."""
    message = f"HTTP status {code} and no JSON; is this address Prometheus?"
    if code >= 500:
        return QueryFailure(QueryFailureKind.UNREACHABLE, message)
    if code in (401, 403):
        message = f"HTTP status {code}: the token is missing or has no right to query"
        return QueryFailure(QueryFailureKind.REJECTED, message)
    return QueryFailure(QueryFailureKind.INVALID_ANSWER, message)


def _unreachable(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:_DETAIL_MAX_LENGTH]
