"""What a scene came to, and whether the demo kept its promises. Pure: from measurements only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flights_demo.scenes import End, Scene
from flights_demo.traffic_report import TrafficReport


@dataclass(frozen=True, slots=True)
class SceneResult:
    """What was measured in one scene.

    Attributes
    ----------
    revision
        The revision that the scene brought.
    metrics
        Metrics whose verdict was Failed when it was decided.
    decided_at
        When it was decided, in seconds since 1970.
    change_seconds, traffic_seconds
        From the change of the Deployment, and from the canary's first traffic, to the decision.
    met
        Requests answered by the scene's revision.
    last_met_seconds
        From a rollback to the last request that its revision answered.
    failed
        Answers other than 200 as (revision, status, count).
    unanswered
        Requests without an answer as (how, count).
    stable_slow_share
        Share of stable's answers that took longer than 250 ms.
    """

    scene: Scene
    end: End
    revision: str
    because: str
    metrics: tuple[str, ...] = ()
    decided_at: float = 0.0
    change_seconds: float = 0.0
    traffic_seconds: float | None = None
    met: int = 0
    last_met_seconds: float | None = None
    failed: tuple[tuple[str, str, int], ...] = ()
    unanswered: tuple[tuple[str, int], ...] = ()
    stable_slow_share: float | None = None


def with_traffic(result: SceneResult, report: TrafficReport, *, stable: str) -> SceneResult:
    """The result with what callers saw in its scene; `stable` was stable when it began."""
    key, revision = result.scene.key, result.revision
    last = report.last_answered_at.get((key, revision))
    rolled_back = result.end is End.ROLLED_BACK
    failed = report.failed_answers(key)
    return replace(
        result,
        met=report.predictions(key)[revision],
        last_met_seconds=max(0.0, last - result.decided_at) if last and rolled_back else None,
        failed=tuple((by, status, count) for (by, status), count in sorted(failed.items())),
        unanswered=tuple(sorted(report.unanswered(key).items())),
        stable_slow_share=report.slow_share(key, stable),
    )


def broken_promises(results: Sequence[SceneResult], report: TrafficReport) -> list[str]:
    """What went otherwise than it has to, one sentence each; empty when all is well."""
    problems: list[str] = []
    for result in results:
        problems += _of_scene(result)
    for how, count in sorted(report.unanswered().items()):
        problems.append(f"{count} requests got no answer: {how}")
    return problems


def _of_scene(result: SceneResult) -> list[str]:
    scene, problems = result.scene, []
    if result.end is not scene.end:
        problems.append(f"scene {scene.key}: {result.end.value}, not {scene.end.value}")
    elif scene.because and not set(result.metrics) & set(scene.because):
        told = ", ".join(result.metrics) or "no metric"
        wanted = " or ".join(scene.because)
        problems.append(f"scene {scene.key}: rolled back by {told}, not {wanted}")
    bad = result.revision if scene.end is End.ROLLED_BACK else None
    for revision, status, count in result.failed:
        if revision != bad or status in ("502", "503"):
            who = revision or "nobody"
            problems.append(f"scene {scene.key}: {count} answers {status} from {who}")
    return problems


def client_errors(result: SceneResult) -> str:
    """Errors that clients saw in a scene, by kind; who answered is the scene's revision."""
    parts = [f"{count} x {status}" for _, status, count in result.failed]
    parts += [f"{count} x {how}" for how, count in result.unanswered]
    return ", ".join(parts) or "none"
