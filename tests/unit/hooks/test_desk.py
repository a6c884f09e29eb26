"""Questions are asked outside of all passes, again and again, and each hook for itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serinus.api.hooks import HookAnswer
from serinus.hooks.declared import DeclaredHook
from serinus.hooks.desk import AT_ONCE_MAX, HookDesk
from serinus.reconcile.decision import ObjectRef
from tests.support.hook_receiver import Receiver, declared, hangs, receiving, says

pytestmark = pytest.mark.slow

NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)
AT = "2024-05-06T11:00:00Z"
YES, NO, NOTHING = HookAnswer


def ref(name: str = "delay", namespace: str = "flights") -> ObjectRef:
    return ObjectRef("serinus.dev/v1alpha1", "Deployment", namespace, name)


def resource(
    *hooks: str, type_: str = "confirm-promotion", since: str = AT, name: str = "delay"
) -> dict[str, Any]:
    asked = [{"type": type_, "name": hook, "askedSince": since} for hook in hooks]
    return {
        "metadata": {"name": name, "namespace": "flights", "uid": "u"},
        "status": {"canary": {"revision": "b", "startedAt": AT, "hooks": asked}},
    }


@dataclass
class Office:
    """A desk, who was woken, and what was counted."""

    desk: HookDesk
    woken: asyncio.Queue[ObjectRef]
    counted: asyncio.Queue[tuple[str, HookAnswer]]

    def answers(self, body: dict[str, Any], of: ObjectRef | None = None) -> dict[str, HookAnswer]:
        seen = self.desk.seen(of or ref(), body)
        return {one.hook: answered.answer for one, answered in seen.answers.items()}

    async def comes_to(self, body: dict[str, Any], answer: HookAnswer) -> None:
        """The hook `board` says so, at once or later."""
        async with asyncio.timeout(20):
            while self.answers(body) != {"board": answer}:
                await self.woken.get()

    async def is_woken(self) -> ObjectRef:
        async with asyncio.timeout(10):
            return await self.woken.get()

    async def has_counted(self, number: int) -> None:
        async with asyncio.timeout(10):
            for _ in range(number):
                await self.counted.get()


@asynccontextmanager
async def office(*hooks: DeclaredHook) -> AsyncIterator[Office]:
    woken: asyncio.Queue[ObjectRef] = asyncio.Queue()
    counted: asyncio.Queue[tuple[str, HookAnswer]] = asyncio.Queue()
    desk = HookDesk(hooks, woken.put_nowait, lambda *asked: counted.put_nowait(asked), lambda: NOW)
    async with desk:
        yield Office(desk, woken, counted)


def quick(tmp_path: Path, receiver: Receiver, name: str = "board", **more: Any) -> DeclaredHook:
    hook = declared(tmp_path, receiver.url, name, **more)
    return hook.model_copy(update={"interval_seconds": 0.02})


async def test_a_question_is_asked_once_seen_and_its_answer_wakes(tmp_path: Path) -> None:
    async with receiving() as receiver, office(quick(tmp_path, receiver)) as at:
        at_first = at.answers(resource("board"))
        woken = await at.is_woken()

        assert (at_first, woken) == ({}, ref())
        assert at.answers(resource("board")) == {"board": YES}
        assert receiver.bodies[0]["checksum"] == "b"


async def test_the_same_answer_again_is_no_news_and_another_is(tmp_path: Path) -> None:
    async with receiving(says(403)) as receiver, office(quick(tmp_path, receiver)) as at:
        at.answers(resource("board"))
        await at.has_counted(5)
        times = at.woken.qsize()
        receiver.answers = says(200)
        await at.is_woken()
        await at.is_woken()

        assert times == 1
        assert at.answers(resource("board")) == {"board": YES}


async def test_a_yes_is_forgotten_where_it_was_followed_by_silence(tmp_path: Path) -> None:
    hook_waits = {"timeout_seconds": 0.2}
    async with receiving() as receiver, office(quick(tmp_path, receiver, **hook_waits)) as at:
        await at.comes_to(resource("board"), YES)
        receiver.answers = hangs
        await at.comes_to(resource("board"), NOTHING)

        assert at.answers(resource("board")) == {"board": NOTHING}


async def test_another_question_begins_without_an_answer(tmp_path: Path) -> None:
    async with receiving() as receiver, office(quick(tmp_path, receiver)) as at:
        at.answers(resource("board"))
        await at.is_woken()

        assert at.answers(resource("board", since="2024-05-06T11:59:00Z")) == {}


async def test_what_nobody_asks_any_more_isn_t_asked(tmp_path: Path) -> None:
    async with receiving(says(403)) as receiver, office(quick(tmp_path, receiver)) as at:
        at.answers(resource("board"))
        at.answers(resource("board", name="other"), ref("other"))
        await at.has_counted(2)
        at.answers(resource())
        at.desk.forget(ref("other"))
        running = [one for one in asyncio.all_tasks() if one.get_name().startswith("ask hook")]
        await asyncio.wait(running)

        assert all(one.cancelled() for one in running)
        assert at.answers(resource()) == {}


async def test_a_hook_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    async with receiving(hangs) as stuck, receiving() as sound:
        hooks = quick(tmp_path, stuck, "stuck"), quick(tmp_path, sound, "sound")
        async with office(*hooks) as at:
            for number in range(3 * AT_ONCE_MAX):
                name = f"d{number}"
                at.answers(resource("stuck", name=name), ref(name))
            at.answers(resource("sound"))

            assert await at.is_woken() == ref()
            assert len(stuck.bodies) <= AT_ONCE_MAX


async def test_what_isn_t_declared_for_it_isn_t_called(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hooks = (
            quick(tmp_path, receiver, "of-others", namespaces=("team-a",)),
            quick(tmp_path, receiver, "board", types=("rollback",)),
        )
        async with office(*hooks) as at:
            at.answers(resource("board", "of-others", "unknown"))
            at.answers(resource("board", type_="rollback", name="other"), ref("other"))

            assert await at.is_woken() == ref("other")
            assert len(receiver.bodies) == 1
            assert set(at.desk.seen(ref(), resource()).declared) == {"board"}
