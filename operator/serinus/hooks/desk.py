"""Ask the hooks about all rollouts that want it, again and again, in the way of none of them.

Which questions are open is what the stored statuses say. Each is a task of its own that asks, waits
and asks again; an answer that is news wakes the object, whose next pass reads it. Each hook has its
own few places, so that one that hangs holds up its own questions only.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp

from serinus.api.conditions import format_time
from serinus.api.hooks import HookAnswer
from serinus.hooks.call import Said, ask
from serinus.hooks.declared import DeclaredHook, types_by_name
from serinus.hooks.lookups import HookResolver
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.deployment_hooks import open_questions
from serinus.reconcile.snapshot import HookAnswered, HookQuestion, HooksSeen

AT_ONCE_MAX = 8
"""Questions that one hook is asked at the same time."""
JITTER_RATIO = 0.1

_log = logging.getLogger(__name__)

Count = Callable[[str, HookAnswer], None]


@dataclass(slots=True)
class _Open:
    """A question that is being asked; `answered` is the newest answer to it."""

    answered: HookAnswered | None = None
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Place:
    """A hook, and who may ask it now."""

    hook: DeclaredHook
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE_MAX))


class HookDesk:
    """All open questions. Open and close it with `async with`."""

    def __init__(
        self,
        hooks: Sequence[DeclaredHook],
        wake: Callable[[ObjectRef], None],
        count: Count,
        now: Callable[[], datetime],
    ) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._resolver: HookResolver | None = None
        self._places = {hook.name: _Place(hook) for hook in hooks}
        self._wake = wake
        self._count = count
        self._now = now
        self._open: dict[ObjectRef, dict[HookQuestion, _Open]] = {}

    async def __aenter__(self) -> HookDesk:
        # No bound on connections in all: each hook's places bound its own.
        self._resolver = HookResolver()
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=0, resolver=self._resolver),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        for ref in list(self._open):
            self.forget(ref)
        if self._session is not None:
            await self._session.close()
        if self._resolver is not None:
            await self._resolver.close()

    def seen(self, ref: ObjectRef, resource: JsonObject) -> HooksSeen:
        """What is known for a pass over `resource`; from now on its open questions are asked."""
        namespace = ref.namespace
        declared = types_by_name((one.hook for one in self._places.values()), namespace)
        wanted = {one for one in open_questions(resource) if one.type in declared.get(one.hook, ())}
        known = self._open.pop(ref, {})
        for question in known.keys() - wanted:
            _end(known.pop(question))
        for question in wanted - known.keys():
            known[question] = self._asked(ref, question)
        if known:
            self._open[ref] = known
        answers = {one: open_.answered for one, open_ in known.items() if open_.answered}
        return HooksSeen(declared, answers)

    def forget(self, ref: ObjectRef) -> None:
        """Nobody asks about the object any more."""
        for one in self._open.pop(ref, {}).values():
            _end(one)

    def _asked(self, ref: ObjectRef, question: HookQuestion) -> _Open:
        one = _Open()
        name = f"ask hook {question.hook} about {ref.name}"
        one.task = asyncio.create_task(self._ask_again_and_again(ref, question, one), name=name)
        return one

    async def _ask_again_and_again(
        self, ref: ObjectRef, question: HookQuestion, one: _Open
    ) -> None:
        place = self._places[question.hook]
        while True:
            async with place.turns:
                answer, told = await self._answer(place.hook, question)
            self._count(place.hook.name, answer)
            is_news = one.answered is None or one.answered.answer is not answer
            one.answered = HookAnswered(answer, told, format_time(self._now()))
            if is_news:
                self._wake(ref)
            spread = random.uniform(1 - JITTER_RATIO, 1 + JITTER_RATIO)  # noqa: S311 - no secret
            await asyncio.sleep(place.hook.interval_seconds * spread)

    async def _answer(self, hook: DeclaredHook, question: HookQuestion) -> Said:
        try:
            assert self._session is not None  # opened before anything is asked
            return await ask(self._session, hook, question)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the asking
            _log.error("hook not asked", extra={"hook": hook.name}, exc_info=error)
            return HookAnswer.NOTHING, "an error of the operator; see log"


def _end(one: _Open) -> None:
    if one.task is not None:
        one.task.cancel()
