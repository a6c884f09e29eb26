"""Looks rows up in a server that speaks the protocol of Redis, over few connections.

What is asked for while an answer is under way goes as one question after it: a request takes one
round trip, and many at once hardly more. A connection that fails is made anew at once, and what it
was asked is asked again; only where that fails, too, is the server away. Then nobody waits: each
request is told so, and somebody tries again after a pause that grows.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger(__name__)

CONNECTIONS = 2
NAMES_AT_ONCE = 2000
"""How many rows one question asks for; a request that asks for more gets one of its own."""
PAUSE_MIN_SECONDS, PAUSE_MAX_SECONDS = 0.1, 5.0
_TURNS = 3
"""Turns of the event loop from an answer's bytes to who waits for it."""
_PATIENCE = 3
"""How many times longer than a request a connection waits: a late answer is no reason to end it."""
QUIET_SECONDS = 10.0
"""After that long without a question it is looked whether the connection is still one."""


class ServerAway(Exception):
    """The server didn't answer, or not in time; the text says why."""


class AccessRefused(ServerAway):
    """It answers, and lets nobody in with this name and password, or not to these rows."""


class Connection(Protocol):
    """A connection on which one question is asked at a time."""

    async def values(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of these names; raises `ServerAway`."""

    async def ping(self) -> None:
        """Whether it is there; raises `ServerAway`."""

    async def close(self) -> None:
        """End it."""


class Connect(Protocol):
    """Makes a connection that may be asked."""

    async def __call__(self) -> Connection:
        """Make one; raises `ServerAway`."""


@dataclass(slots=True, eq=False)
class _Question:
    names: Sequence[bytes]
    answer: asyncio.Future[Sequence[bytes | None]]
    tries: int = 0


class Lookups:
    """Questions to one server; all of it is for one event loop."""

    def __init__(self, connect: Connect, where: str, timeout_seconds: float) -> None:
        self._connect = connect
        self._where = where
        self._timeout_seconds = timeout_seconds
        self._questions: deque[_Question] = deque()
        self._come = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._connected = 0
        self._why_away: ServerAway | None = None
        self._away_since = 0.0
        self._settled = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether the server is there."""
        return self._connected > 0

    async def begin(self, within_seconds: float) -> None:
        """Connect; raises `ServerAway` where that doesn't succeed in time.

        It is tried again afterwards, too.
        """
        self._start()
        try:
            async with asyncio.timeout(within_seconds):
                await self._settled.wait()
        except TimeoutError:
            raise ServerAway(f"{self._where}: no answer within {within_seconds:g} s") from None
        self._raise_if_away()

    async def values(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of these names; raises `ServerAway`."""
        self._raise_if_away()
        self._start()
        question = _Question(names, asyncio.get_running_loop().create_future())
        self._questions.append(question)
        self._come.set()
        answer = question.answer
        try:
            await asyncio.wait((answer,), timeout=self._timeout_seconds)
            for _ in range(_TURNS):
                if answer.done():
                    break
                await asyncio.sleep(0)  # perhaps it is here, and the loop was late
            if answer.done():
                return answer.result()
        finally:
            answer.cancel()
        raise ServerAway(f"{self._where}: no answer within {self._timeout_seconds * 1000:g} ms")

    def _raise_if_away(self) -> None:
        if self._why_away is not None:
            raise _anew(self._why_away)

    async def retire(self) -> None:
        """Close once nobody waits any more: who asks from now on asks others."""
        await asyncio.sleep(self._timeout_seconds)
        await self.close()

    async def close(self) -> None:
        """Ask nothing any more."""
        self._why_away = ServerAway(f"{self._where}: no longer asked")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail_all(self._why_away)

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._keep_asking()) for _ in range(CONNECTIONS)]

    async def _keep_asking(self) -> None:
        """Connect, ask until that fails, and again."""
        pause_seconds = PAUSE_MIN_SECONDS
        while True:
            try:
                connection = await self._connect()
            except Exception as error:
                if not isinstance(error, ServerAway):
                    logger.exception("connecting to the server of online values failed")
                if self._connected == 0:
                    self._be_away(error if isinstance(error, ServerAway) else _unknown(error))
                # Not all at the same moment: a server that comes back has other things to do.
                await asyncio.sleep(pause_seconds * random.uniform(0.5, 1))  # noqa: S311
                pause_seconds = min(PAUSE_MAX_SECONDS, 2 * pause_seconds)
                continue
            pause_seconds = PAUSE_MIN_SECONDS
            self._connected += 1
            self._be_back()
            try:
                await self._ask_on(connection)
            except AccessRefused as error:
                self._be_away(error)
                await asyncio.sleep(PAUSE_MAX_SECONDS)
            except ServerAway as error:
                logger.info("connection to the server of online values failed: %s", error)
            except Exception:
                logger.exception("asking the server of online values failed")
            finally:
                self._connected -= 1
                await connection.close()

    async def _ask_on(self, connection: Connection) -> None:
        """Ask what comes; raises `ServerAway`."""
        while True:
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._come.wait()
            except TimeoutError:
                await self._see_whether_there(connection)
                continue
            if questions := self._taken():
                await self._ask(connection, questions)

    async def _see_whether_there(self, connection: Connection) -> None:
        """Raises `ServerAway`; where nothing comes back the connection is as good as gone."""
        try:
            async with asyncio.timeout(_PATIENCE * self._timeout_seconds):
                await connection.ping()
        except TimeoutError as error:
            raise ServerAway(f"{self._where}: no answer") from error

    def _taken(self) -> list[_Question]:
        """Questions that go together: those whose askers still wait."""
        taken: list[_Question] = []
        size = 0
        while self._questions and (not taken or size < NAMES_AT_ONCE):
            question = self._questions.popleft()
            if not question.answer.done():
                taken.append(question)
                size += len(question.names)
        if not self._questions:
            self._come.clear()
        return taken

    async def _ask(self, connection: Connection, questions: Sequence[_Question]) -> None:
        names = [name for question in questions for name in question.names]
        try:
            async with asyncio.timeout(_PATIENCE * self._timeout_seconds):
                values = await connection.values(names)
        except asyncio.CancelledError:
            self._questions.extendleft(questions)  # whoever ends it tells them
            raise
        except (ServerAway, TimeoutError) as error:
            self._ask_again(questions)
            if isinstance(error, ServerAway):
                raise
            raise ServerAway(f"{self._where}: no answer") from error
        begin = 0
        for question in questions:
            end = begin + len(question.names)
            if not question.answer.done():
                question.answer.set_result(values[begin:end])
            begin = end

    def _ask_again(self, questions: Sequence[_Question]) -> None:
        """Put questions back: perhaps only the connections were gone, each of them."""
        for question in reversed(questions):
            question.tries += 1
            if question.tries <= CONNECTIONS and not question.answer.done():
                self._questions.appendleft(question)
                self._come.set()
            elif not question.answer.done():
                question.answer.set_exception(ServerAway(f"{self._where}: the connection failed"))

    def _be_away(self, why: ServerAway) -> None:
        if self._why_away is None:
            self._away_since = time.monotonic()
            logger.warning("the server of online values is away: %s", why)
        self._why_away = why
        self._settled.set()
        self._fail_all(why)

    def _be_back(self) -> None:
        if self._why_away is not None:
            logger.info(
                "the server of online values is back",
                extra={"away_seconds": round(time.monotonic() - self._away_since, 3)},
            )
        self._why_away = None
        self._settled.set()

    def _fail_all(self, why: ServerAway) -> None:
        while self._questions:
            question = self._questions.popleft()
            if not question.answer.done():
                question.answer.set_exception(_anew(why))
        self._come.clear()


def _anew(error: ServerAway) -> ServerAway:
    """The same again: one that is raised twice grows with what it has gone through."""
    return type(error)(*error.args)


def _unknown(error: Exception) -> ServerAway:
    return ServerAway(f"nobody foresaw this: {type(error).__name__}")
