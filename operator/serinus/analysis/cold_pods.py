"""Pods that are cold: what they count in the `warmup` after they became ready is no evidence.

A step, an autoscaler or a lost node adds pods to either version, and their first requests are slow
or fail. Beside pods that are warm that would look like harm of the canary, or, on stable's side,
hide it. So each pod's first `warmup` is left out, in both arms alike. How old a pod is was known
before the round, so what is left out doesn't depend on what it counted.

A pod that starts again is cold again, which must not shield a version whose pods crash: each place
of a pod has two such times, and one more for each hour of the rollout. Beyond that cold pods count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from serinus.analysis.cells import Arm, Cell, PodCounts
from serinus.analysis.rounds import Round

TIMES_A_POD = 2
"""One for its start, one for a pod that takes its place."""
ONE_MORE_MS = 3_600_000
"""After this long each place of a pod has another one: nodes are replaced now and then."""


@dataclass(frozen=True, slots=True)
class ColdArm:
    """What was left out of one version.

    Attributes
    ----------
    pods
        The most pods that it had at once.
    left_out_ms
        Time of cold pods that was left out, summed over the pods.
    cold
        Pods that were left out of the last round.
    """

    pods: int = 0
    left_out_ms: int = 0
    cold: int = 0


@dataclass(frozen=True, slots=True)
class ColdPods:
    """What was left out of both versions."""

    canary: ColdArm = field(default_factory=ColdArm)
    stable: ColdArm = field(default_factory=ColdArm)

    @property
    def hold_a_step(self) -> bool:
        """Whether so many of the canary's pods are cold that a step isn't judged by the others."""
        return 2 * self.canary.cold >= max(1, self.canary.pods)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Since when pods are ready, in Unix milliseconds, and for how long they are cold then."""

    ready_ms: Mapping[str, int]
    warmup_ms: int
    rollout_started_ms: int

    def is_cold(self, pod: str, closed: Round) -> bool:
        """Whether the pod was cold when the round began, or wasn't ready yet."""
        ready = self.ready_ms.get(pod)
        return ready is not None and closed.start_ms < ready + self.warmup_ms

    def cold_ms(self, pod: str, closed: Round) -> int:
        """For how long of the round it was."""
        ready = self.ready_ms[pod]
        return max(0, min(closed.end_ms, ready + self.warmup_ms) - max(closed.start_ms, ready))

    def allowed_ms(self, pods: int, closed: Round) -> int:
        """How much may be left out of a version that had so many pods at once."""
        hours = max(0, closed.end_ms - self.rollout_started_ms) // ONE_MORE_MS
        return pods * self.warmup_ms * (TIMES_A_POD + hours)


def without_cold(
    counts: PodCounts, closed: Round, readiness: Readiness, before: ColdPods
) -> tuple[PodCounts, ColdPods]:
    """What the warm pods counted in a round, and what was left out by then."""
    after, left_out = {}, set[Cell]()
    for arm, past in ((Arm.CANARY, before.canary), (Arm.STABLE, before.stable)):
        mine = [cell for cell in counts if cell.arm is arm]
        cold = {cell.pod for cell in mine if readiness.is_cold(cell.pod, closed)}
        if not cold and past == ColdArm():  # nothing to be remembered yet
            after[arm] = past
            continue
        pods = max(past.pods, len({cell.pod for cell in mine}))
        left_out_ms = past.left_out_ms + sum(readiness.cold_ms(pod, closed) for pod in cold)
        if left_out_ms > readiness.allowed_ms(pods, closed):
            after[arm] = ColdArm(pods, past.left_out_ms)
            continue
        after[arm] = ColdArm(pods, left_out_ms, len(cold))
        left_out.update(cell for cell in mine if cell.pod in cold)
    warm = {cell: one for cell, one in counts.items() if cell not in left_out}
    return warm, ColdPods(after[Arm.CANARY], after[Arm.STABLE])
