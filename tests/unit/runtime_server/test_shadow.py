"""A shadow gets the requests that were answered, and can neither change nor slow an answer."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import pytest

from serinus_runtime.server import shadow as module
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.errors import Headers
from serinus_runtime.server.metrics import ShadowOutcome
from serinus_runtime.server.request_body import Scope
from serinus_runtime.server.revision_connection import RevisionAnswer, RevisionError
from serinus_runtime.server.shadow import AT_ONCE, BODY_BYTES_MAX, WAITING_MAX, Shadow
from serinus_runtime.server.trace_context import BEGUN, Begun, Trace, onward

OWN, OTHER = "0000000000", "1111111111"
BODY = b'{"rows": [{}]}'
SCOPE: Scope = {"path": "/predict", "headers": [(b"host", b"x")]}


def answer_of(value: object, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps({"predictions": [{"value": value}]}))


@dataclass
class Elsewhere:
    """The name server, the shadow's pods, and what was counted."""

    found: Sequence[str] = ("10.0.0.9",)
    failure: OSError | None = None
    said: Callable[[], RevisionAnswer] = lambda: RevisionAnswer(answer_of(1), OTHER)
    hangs: bool = False
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    headers: Headers = ()
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def look_up(self) -> Sequence[str]:
        if self.failure:
            raise self.failure
        return self.found

    def connect(self, _address: Callable[[], str | None]) -> "Elsewhere":
        return self

    async def ask(self, path: str, body: bytes, headers: Headers = ()) -> RevisionAnswer:
        self.asked.append((path, body))
        self.headers = headers
        if self.hangs:
            await asyncio.Event().wait()
        return self.said()

    def close(self) -> None:
        pass

    def shadowed(self, revision: str, outcome: ShadowOutcome) -> None:
        self.counts[revision, outcome.value] += 1

    def shadow(self) -> Shadow:
        return Shadow(self.look_up, self.connect, self, own_revision=OWN)


@asynccontextmanager
async def mirroring(elsewhere: Elsewhere) -> AsyncIterator[Shadow]:
    shadow = elsewhere.shadow()
    await shadow.look()
    task = asyncio.create_task(shadow.run())
    try:
        yield shadow
    finally:
        task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (it is about what other tasks have done)
            await asyncio.sleep(0)


async def settled(elsewhere: Elsewhere, count: int) -> None:
    await until(lambda: sum(elsewhere.counts.values()) >= count)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (RevisionAnswer(answer_of(1), OTHER), "same"),
        (RevisionAnswer(answer_of(2), OTHER), "different"),
        (RevisionAnswer(Answer(400, b"{}"), OTHER), "different"),
        (RevisionAnswer(Answer(503, b"{}"), OTHER), "error"),
    ],
)
async def test_what_the_shadow_says_is_compared_and_counted(
    said: RevisionAnswer, outcome: str
) -> None:
    elsewhere = Elsewhere(said=lambda: said)
    async with mirroring(elsewhere) as shadow:
        shadow.offer(SCOPE, BODY, answer_of(1))
        await settled(elsewhere, 1)

    assert elsewhere.asked == [("/predict", BODY)]
    assert elsewhere.counts == {(OTHER, outcome): 1}


async def test_the_shadow_s_span_is_a_child_of_the_one_that_is_mirrored() -> None:
    elsewhere = Elsewhere()
    begun = Begun(Trace(b"\x11" * 16, b"\x22" * 8, sampled=True), b"\x33" * 8)
    async with mirroring(elsewhere) as shadow:
        shadow.offer({**SCOPE, BEGUN: begun}, BODY, answer_of(1))
        await settled(elsewhere, 1)

    assert elsewhere.headers == onward(begun)


@pytest.mark.parametrize("error", [RevisionError("gone"), RuntimeError("a mistake of ours")])
async def test_a_failure_is_counted_and_mirroring_goes_on(error: Exception) -> None:
    elsewhere = Elsewhere()
    sound = elsewhere.said

    def fails() -> RevisionAnswer:
        elsewhere.said = sound
        raise error

    elsewhere.said = fails
    async with mirroring(elsewhere) as shadow:
        shadow.offer(SCOPE, BODY, answer_of(1))
        await settled(elsewhere, 1)
        shadow.offer(SCOPE, BODY, answer_of(1))
        await settled(elsewhere, 2)

    assert elsewhere.counts == {("", "error"): 1, (OTHER, "same"): 1}


async def test_a_hanging_shadow_costs_counted_drops_and_no_waiting() -> None:
    elsewhere = Elsewhere(hangs=True)
    async with mirroring(elsewhere) as shadow:
        for _ in range(AT_ONCE):
            shadow.offer(SCOPE, BODY, answer_of(1))
        await until(lambda: len(elsewhere.asked) >= AT_ONCE)
        for _ in range(WAITING_MAX + 3):
            shadow.offer(SCOPE, BODY, answer_of(1))

    assert elsewhere.counts == {("", "dropped"): 3}


async def test_an_answer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.01)
    elsewhere = Elsewhere(hangs=True)
    async with mirroring(elsewhere) as shadow:
        shadow.offer(SCOPE, BODY, answer_of(1))
        await settled(elsewhere, 1)

    assert elsewhere.counts == {("", "timeout"): 1}


async def test_what_is_large_is_dropped_and_so_is_what_would_hold_too_many_bytes() -> None:
    elsewhere = Elsewhere(hangs=True)
    shadow = elsewhere.shadow()
    await shadow.look()
    shadow.offer(SCOPE, b"x" * (BODY_BYTES_MAX + 1), answer_of(1))
    dropped_for_size = elsewhere.counts["", "dropped"]
    for _ in range(100):
        shadow.offer(SCOPE, b"x" * (BODY_BYTES_MAX - 100), answer_of(1))

    assert dropped_for_size == 1
    assert elsewhere.counts["", "dropped"] > 80


@pytest.mark.parametrize(
    ("scope", "answer"),
    [
        ({**SCOPE, "headers": [(b"serinus-mirrored", b"1")]}, answer_of(1)),
        (SCOPE, answer_of(1, status=413)),
        (SCOPE, answer_of(1, status=503)),
    ],
    ids=["mirrored already", "never read", "no room for it"],
)
async def test_some_requests_are_not_mirrored(scope: Scope, answer: Answer) -> None:
    elsewhere = Elsewhere()
    async with mirroring(elsewhere) as shadow:
        shadow.offer(scope, BODY, answer)
        shadow.offer(SCOPE, BODY, answer_of(1))
        await settled(elsewhere, 1)

    assert len(elsewhere.asked) == 1


async def test_without_a_shadow_nothing_is_kept() -> None:
    elsewhere = Elsewhere(failure=socket.gaierror(socket.EAI_NONAME, "no such name"))
    async with mirroring(elsewhere) as shadow:
        shadow.offer(SCOPE, BODY, answer_of(1))
        here = shadow.is_there

    assert (here, elsewhere.asked, elsewhere.counts) == (False, [], {})


@pytest.mark.parametrize(
    ("failure", "there"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), False),
        (socket.gaierror(socket.EAI_AGAIN, "nobody can tell"), True),
        (TimeoutError(), True),
    ],
)
async def test_a_shadow_is_gone_only_when_dns_says_so(failure: OSError, there: bool) -> None:
    elsewhere = Elsewhere()
    shadow = elsewhere.shadow()
    await shadow.look()
    elsewhere.failure = failure
    await shadow.look()

    assert shadow.is_there is there


async def test_pods_of_the_own_revision_are_no_shadow() -> None:
    elsewhere = Elsewhere(said=lambda: RevisionAnswer(answer_of(1), OWN))
    async with mirroring(elsewhere) as shadow:
        shadow.offer(SCOPE, BODY, answer_of(1))
        await until(lambda: not shadow.is_there)

    assert elsewhere.counts == {}


async def test_a_request_for_stables_version_is_one_for_whichever_the_shadow_has() -> None:
    elsewhere = Elsewhere()
    scope = {
        "path": "/v2/models/late/versions/3f2a/infer",
        "headers": [(b"host", b"x"), (b"inference-header-content-length", b"2")],
    }
    async with mirroring(elsewhere) as shadow:
        shadow.offer(scope, BODY, answer_of(1))
        await settled(elsewhere, 1)

    assert elsewhere.asked == [("/v2/models/late/infer", BODY)]
    assert elsewhere.headers == ((b"inference-header-content-length", b"2"),)
