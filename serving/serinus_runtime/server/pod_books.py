"""How a worker asks the process that keeps the pod's books: over a Unix socket, one question each.

    question: JSON {about, headers, size} on one line · body
    answer:   JSON {status, type, headers, size} on one line · body

Headers are texts in Latin-1, as HTTP has them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from serinus_runtime.server.answer import Answer
from serinus_runtime.server.errors import Overloaded
from serinus_runtime.server.request_body import RequestHeaders

LINE_BYTES_MAX = 1 << 20
"""More than the headers of a request may take."""

_ANSWER_SECONDS = 15.0
"""Longer than it waits for another pod."""

_AWAY = "the pod can't count now; send it again, labels count once"


class About(StrEnum):
    """What is asked."""

    LABELS = "labels"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Question:
    """What a worker was asked and can't answer by itself."""

    about: About
    headers: RequestHeaders = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class PodBooks:
    """The books, as a worker reaches them."""

    socket: Path

    async def asked(self, question: Question) -> Answer:
        """What the books say; raises `Overloaded` where they don't in time."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._asked(question)
        except (OSError, EOFError, TimeoutError) as error:
            raise Overloaded(_AWAY) from error

    async def _asked(self, question: Question) -> Answer:
        reader, writer = await asyncio.open_unix_connection(self.socket, limit=LINE_BYTES_MAX)
        try:
            head = {"about": question.about, "headers": _texts(question.headers)}
            writer.write(_framed(head, question.body))
            said, body = await _read(reader)
        finally:
            writer.close()
        return Answer(said["status"], body, said["type"].encode(), _headers(said["headers"]))


async def read_question(reader: asyncio.StreamReader) -> Question:
    """The question of a connection; raises `EOFError` where none comes whole."""
    head, body = await _read(reader)
    return Question(About(head["about"]), _headers(head["headers"]), body)


def write_answer(writer: asyncio.StreamWriter, answer: Answer) -> None:
    """Answer the question of a connection."""
    head = {
        "status": answer.status,
        "type": answer.content_type.decode(),
        "headers": _texts(answer.headers),
    }
    writer.write(_framed(head, answer.body))


def _framed(head: dict[str, Any], body: bytes) -> bytes:
    return orjson.dumps(head | {"size": len(body)}, option=orjson.OPT_APPEND_NEWLINE) + body


async def _read(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    line = await reader.readuntil(b"\n")
    head: dict[str, Any] = orjson.loads(line)
    return head, await reader.readexactly(head["size"])


def _texts(headers: RequestHeaders) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _headers(texts: list[list[str]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in texts)
