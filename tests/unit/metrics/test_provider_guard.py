"""A provider that is away is noticed once, and asked again by one only."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from serinus.analysis.samples import QueryFailure, QueryFailureKind, QueryResult
from serinus.metrics.provider_guard import (
    LOOK_AGAIN_SECONDS,
    QUESTIONS_AT_ONCE,
    TURN_TIMEOUT_SECONDS,
    ProviderGuard,
)
from tests.support.clock import run_in_virtual_time

HUNG = QueryFailure(QueryFailureKind.TIMEOUT, "no answer within 5 s")
REFUSED = QueryFailure(QueryFailureKind.UNREACHABLE, "connection refused")
REJECTED = QueryFailure(QueryFailureKind.REJECTED, "parse error")
ANSWER: QueryResult = ()


class Provider:
    """Answers after `seconds` with `answer`."""

    def __init__(self, answer: QueryResult, seconds: float = 0.0) -> None:
        self.answer, self.seconds = answer, seconds
        self.asked = self.at_once = self.most_at_once = 0

    async def send(self) -> QueryResult:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        answer = self.answer
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        return answer


def guarded(scenario: Callable[[ProviderGuard], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(ProviderGuard())

    run_in_virtual_time(run())


def seconds() -> float:
    return asyncio.get_running_loop().time()


def test_few_are_asked_at_once_and_all_are_answered() -> None:
    async def scenario(guard: ProviderGuard) -> None:
        provider = Provider(ANSWER, seconds=0.5)
        answers = await asyncio.gather(*(guard.ask(provider.send) for _ in range(40)))

        assert set(answers) == {ANSWER}
        assert provider.most_at_once == QUESTIONS_AT_ONCE
        assert seconds() == pytest.approx(40 / QUESTIONS_AT_ONCE * 0.5)

    guarded(scenario)


def test_one_timeout_answers_all_who_wait() -> None:
    async def scenario(guard: ProviderGuard) -> None:
        provider = Provider(HUNG, seconds=5)
        answers = await asyncio.gather(*(guard.ask(provider.send) for _ in range(1000)))

        assert set(answers) == {HUNG}
        assert provider.asked == QUESTIONS_AT_ONCE
        assert seconds() == pytest.approx(5)

    guarded(scenario)


@pytest.mark.parametrize("away", [HUNG, REFUSED], ids=["hangs", "refuses"])
def test_while_it_is_away_one_looks_again_now_and_then(away: QueryFailure) -> None:
    async def scenario(guard: ProviderGuard) -> None:
        provider = Provider(away)
        await guard.ask(provider.send)
        provider.asked = 0
        for _ in range(100):
            await asyncio.sleep(LOOK_AGAIN_SECONDS / 10)
            assert await guard.ask(provider.send) == away

        assert provider.asked == pytest.approx(10, abs=1)

    guarded(scenario)


def test_the_others_do_not_wait_for_the_one_who_looks_again() -> None:
    async def scenario(guard: ProviderGuard) -> None:
        provider = Provider(HUNG, seconds=5)
        await guard.ask(provider.send)
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        looking = asyncio.create_task(guard.ask(provider.send))
        await asyncio.sleep(0.1)
        began = seconds()

        assert await guard.ask(provider.send) == HUNG
        assert seconds() == began
        looking.cancel()

    guarded(scenario)


def test_when_it_is_back_all_are_asked_again() -> None:
    async def scenario(guard: ProviderGuard) -> None:
        provider = Provider(REFUSED)
        await guard.ask(provider.send)
        provider.answer = ANSWER
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        first = await guard.ask(provider.send)
        answers = await asyncio.gather(*(guard.ask(provider.send) for _ in range(20)))

        assert first == ANSWER
        assert set(answers) == {ANSWER}

    guarded(scenario)


def test_a_question_that_is_too_dear_is_nobody_elses_matter() -> None:
    async def scenario(guard: ProviderGuard) -> None:
        dear, cheap = Provider(HUNG, seconds=5), Provider(ANSWER, seconds=0.01)
        waiting = asyncio.create_task(guard.ask(dear.send))
        await asyncio.sleep(1)
        assert await guard.ask(cheap.send) == ANSWER
        assert await waiting == HUNG

        assert await guard.ask(cheap.send) == ANSWER

    guarded(scenario)


def test_a_refused_query_is_an_answer() -> None:
    async def scenario(guard: ProviderGuard) -> None:
        wrong, right = Provider(REJECTED), Provider(ANSWER)

        assert await guard.ask(wrong.send) == REJECTED
        assert await guard.ask(right.send) == ANSWER

    guarded(scenario)


def test_nobody_waits_for_his_turn_for_ever() -> None:
    """A provider that answers, but too slowly for all that it is asked."""

    async def scenario(guard: ProviderGuard) -> None:
        provider = Provider(ANSWER, seconds=4)
        answers = await asyncio.gather(*(guard.ask(provider.send) for _ in range(100)))
        late = [one for one in answers if isinstance(one, QueryFailure)]

        assert len(late) == 100 - 3 * QUESTIONS_AT_ONCE
        assert {one.kind for one in late} == {QueryFailureKind.TIMEOUT}
        assert "busy" in late[0].message
        assert seconds() <= TURN_TIMEOUT_SECONDS + 4

    guarded(scenario)


def test_who_gives_up_takes_no_turn_along() -> None:
    async def scenario(guard: ProviderGuard) -> None:
        provider = Provider(ANSWER, seconds=1)
        asking = [asyncio.create_task(guard.ask(provider.send)) for _ in range(40)]
        await asyncio.sleep(0.5)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

        assert await guard.ask(provider.send) == ANSWER

    guarded(scenario)
