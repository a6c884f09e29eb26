"""Questions to the metrics provider, asked outside of all passes.

::

    a pass ──► nothing to ask ──────────────────────────────────► decision
        │
        └────► asks, and ends ··· answers wake the object ··· next pass ──► decision

So a provider that is slow or hangs holds up nobody: no worker waits for it, and what happens to
the object meanwhile (a person aborts, its spec changes) is seen at once. Answers count if the
object would still ask the same as of the moment at which it asked; another canary, or evidence
that went on, makes them void, and it asks anew. The decision is made as of that moment, so that
time which went by in waiting counts for nothing.

What many pods counted in an hour takes seconds to count on a slow machine. That is done in a
thread, one decision at a time, because the loop has a Lease to renew meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from serinus.analysis.samples import Query, QueryFailure, QueryFailureKind, QueryResult
from serinus.cluster.ports import MetricSource
from serinus.cluster.store import ref_of
from serinus.reconcile.decision import Decision, ObjectRef
from serinus.reconcile.deployment import Look, decided, look_at
from serinus.reconcile.snapshot import DeploymentSnapshot

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Inquiry:
    """What an object asked; `answers` is None while they aren't there."""

    look: Look
    answers: Mapping[Query, QueryResult] | None = None
    task: asyncio.Task[None] | None = None


Decides = Callable[[Look, Mapping[Query, QueryResult]], Decision]


async def in_a_thread(
    decides: Decides, look: Look, answers: Mapping[Query, QueryResult]
) -> Decision:
    """Decide without holding up the loop; what is decided on is never changed in place."""
    return await asyncio.to_thread(decides, look, answers)


class Inquiries:
    """Decides on Deployments, with samples where it takes them; one inquiry an object at a time."""

    def __init__(
        self,
        source: MetricSource,
        wake: Callable[[ObjectRef], None],
        *,
        run: Callable[[Decides, Look, Mapping[Query, QueryResult]], Awaitable[Decision]] = (
            in_a_thread
        ),
    ) -> None:
        self._source = source
        self._wake = wake
        self._run = run
        self._turn = asyncio.Lock()
        self._open: dict[ObjectRef, _Inquiry] = {}

    async def decide(self, snapshot: DeploymentSnapshot, now: datetime) -> Decision:
        """The decision; an empty one while answers are waited for, which wake the object."""
        ref = ref_of(snapshot.resource)
        found = await self._with_answers(ref, snapshot)
        if found is not None:
            return found
        look = look_at(snapshot, now)
        if not look.queries:
            self.forget(ref)
            return decided(look, {})
        if ref not in self._open:
            self._ask(ref, look)
        return Decision()

    def forget(self, ref: ObjectRef) -> None:
        """Nobody waits for the object's answers any more."""
        inquiry = self._open.pop(ref, None)
        if inquiry is not None and inquiry.task is not None:
            inquiry.task.cancel()

    async def _with_answers(self, ref: ObjectRef, snapshot: DeploymentSnapshot) -> Decision | None:
        inquiry = self._open.get(ref)
        if inquiry is None or inquiry.answers is None:
            return None
        del self._open[ref]
        look = inquiry.look
        if look.snapshot != snapshot:
            look = look_at(snapshot, look.now)
            if look.queries != inquiry.look.queries:
                return None
        async with self._turn:
            return await self._run(decided, look, inquiry.answers)

    def _ask(self, ref: ObjectRef, look: Look) -> None:
        inquiry = _Inquiry(look)
        self._open[ref] = inquiry
        inquiry.task = asyncio.create_task(self._answered(ref, inquiry), name=f"ask for {ref.name}")

    async def _answered(self, ref: ObjectRef, inquiry: _Inquiry) -> None:
        asked = inquiry.look.queries
        try:
            inquiry.answers = await self._source.fetch(asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not leave a rollout waiting
            _log.error("metrics provider failed", extra={"about": ref}, exc_info=error)
            failure = QueryFailure(
                QueryFailureKind.UNREACHABLE, "an error of the operator; see log"
            )
            inquiry.answers = dict.fromkeys(asked, failure)
        self._wake(ref)
