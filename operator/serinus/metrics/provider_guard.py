"""How a metrics provider is asked: few questions at once, and hardly any while it gives no answer.

A provider that hangs makes each question wait for its timeout. Once one has failed so, and no other
was answered meanwhile, the provider counts as away: all who wait and all who come get that failure
at once, and one question every two seconds is let through to see whether it is back. A single
question that is too dear for the provider doesn't count, as long as others are answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from serinus.analysis.samples import QueryFailure, QueryFailureKind, QueryResult

QUESTIONS_AT_ONCE = 8
LOOK_AGAIN_SECONDS = 2.0
TURN_TIMEOUT_SECONDS = 10.0

_AWAY = frozenset({QueryFailureKind.TIMEOUT, QueryFailureKind.UNREACHABLE})


class ProviderGuard:
    """Stands between those who ask and one provider."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(QUESTIONS_AT_ONCE)
        self._away: QueryFailure | None = None
        self._look_again_at = float("-inf")
        self._answered_at = float("-inf")

    async def ask(self, send: Callable[[], Awaitable[QueryResult]]) -> QueryResult:
        """What `send` answers, once it is its turn; a failure at once while the provider is away.

        `send` never raises, and ends within a timeout of its own.
        """
        try:
            async with asyncio.timeout(TURN_TIMEOUT_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            message = (
                f"not asked: for {TURN_TIMEOUT_SECONDS:g} s the provider was busy with other "
                "questions of the operator"
            )
            return self._away or QueryFailure(QueryFailureKind.TIMEOUT, message)
        try:
            return self._known_failure() or await self._answered(send)
        finally:
            self._turns.release()

    def _known_failure(self) -> QueryFailure | None:
        """Why nobody asks now; None: ask, and be the one who looks again if it was away."""
        now = _now()
        if self._away is not None and now < self._look_again_at:
            return self._away
        self._look_again_at = now + LOOK_AGAIN_SECONDS
        return None

    async def _answered(self, send: Callable[[], Awaitable[QueryResult]]) -> QueryResult:
        began = _now()
        answer = await send()
        if not (isinstance(answer, QueryFailure) and answer.kind in _AWAY):
            self._answered_at, self._away = _now(), None
        elif self._answered_at < began:
            self._away, self._look_again_at = answer, _now() + LOOK_AGAIN_SECONDS
        return answer


def _now() -> float:
    return asyncio.get_running_loop().time()
