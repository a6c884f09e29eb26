"""A question and its answer go over the socket as they are; who doesn't answer is told of."""

import asyncio
from pathlib import Path

import pytest

from serinus_runtime.server.answer import Answer
from serinus_runtime.server.errors import Overloaded
from serinus_runtime.server.pod_books import (
    About,
    PodBooks,
    Question,
    read_question,
    write_answer,
)

QUESTION = Question(About.LABELS, ((b"x-odd", b"\xff\xfe"), (b"x-odd", b"")), b'{"id": "\n"}\n')
ANSWER = Answer(503, b"\x00\nbody", b"text/plain", ((b"retry-after", b"1"),))


async def test_both_come_whole(tmp_path: Path) -> None:
    heard: list[Question] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await read_question(reader))
        write_answer(writer, ANSWER)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(connected, tmp_path / "books"):
        said = await PodBooks(tmp_path / "books").asked(QUESTION)

    assert heard == [QUESTION]
    assert said == ANSWER


async def test_nobody_there_is_a_503(tmp_path: Path) -> None:
    with pytest.raises(Overloaded, match="send it again, labels count once"):
        await PodBooks(tmp_path / "books").asked(QUESTION)


async def test_who_hangs_up_without_an_answer_is_a_503(tmp_path: Path) -> None:
    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_unix_server(connected, tmp_path / "books"):
        with pytest.raises(Overloaded):
            await PodBooks(tmp_path / "books").asked(Question(About.METRICS))
