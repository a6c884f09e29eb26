"""What a person sees: a picture that lives in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime
from typing import Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from flights_demo.changes import changes
from flights_demo.scenes import Scene
from flights_demo.world import Node, World

_LINES_KEPT = 8
_PLAIN_PROGRESS_SECONDS = 10
_BAR_CELLS = 12
_COLOURS = {
    "Ready": "green",
    "Succeeded": "green",
    "Healthy": "green",
    "Successful": "green",
    "Failed": "red",
    "Rejected": "red",
    "Degraded": "red",
    "Paused": "yellow",
}


class View(Protocol):
    """Shows the scenes."""

    def scene(self, scene: Scene, words: str) -> None:
        """A scene begins."""

    def show(self, seen: World) -> None:
        """A new look at the namespace."""

    def say(self, line: str) -> None:
        """Something happened that no object tells."""

    def close(self) -> None:
        """The last scene is over."""


class PlainLines:
    """One line for each change, and the traffic every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._before = World()
        self._started = time.monotonic()
        self._told = self._started
        self._scene: Scene | None = None

    def scene(self, scene: Scene, words: str) -> None:
        """A heading."""
        self._scene = scene
        self.say(f"scene {scene.key}: {scene.title}. {words}")

    def show(self, seen: World) -> None:
        """Print what changed."""
        for line in changes(self._before, seen):
            self.say(line)
        self._before = seen
        if self._scene and time.monotonic() - self._told > _PLAIN_PROGRESS_SECONDS:
            self._told = time.monotonic()
            for line in evidence_lines(seen):
                self.say(line)

    def say(self, line: str) -> None:
        """Print a line with the seconds since the start."""
        seconds = time.monotonic() - self._started
        self._console.print(f"{seconds:6.1f} s  {line}", soft_wrap=True, markup=False)

    def close(self) -> None:
        """Nothing is open."""


class Picture:
    """The tree, evidence and traffic, redrawn at each look."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._seen = World()
        self._scene: Scene | None = None
        self._words = ""
        self._scene_started = time.monotonic()
        self._live.start()

    def scene(self, scene: Scene, words: str) -> None:
        """A new heading."""
        self._scene, self._words = scene, words
        self._scene_started = time.monotonic()
        self.say(f"scene {scene.key}: {scene.title}")

    def show(self, seen: World) -> None:
        """Redraw."""
        for line in changes(self._seen, seen):
            self.say(line)
        self._seen = seen
        self._live.update(self._drawn())

    def say(self, line: str) -> None:
        """Add a line below the picture."""
        self._lines.append(f"{time.strftime('%H:%M:%S')}  {line}")

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def _drawn(self) -> RenderableType:
        parts: list[RenderableType] = [self._heading(), tree(self._seen)]
        if self._seen.analysis:
            parts.append(evidence(self._seen))
        if self._scene and self._seen.traffic.outcomes:
            parts.append(traffic(self._seen, self._scene.key))
        parts.append(Text("\n".join(self._lines), style="dim", overflow="ellipsis", no_wrap=True))
        return Group(*parts)

    def _heading(self) -> Panel:
        if self._scene is None:
            return Panel("Preparing")
        seconds = time.monotonic() - self._scene_started
        clock = self._seen.traffic.clock
        replayed = f"   {datetime.fromtimestamp(clock, UTC):%d %B %Y, %H:%M} UTC" if clock else ""
        title = f"[bold]{self._scene.key}  {self._scene.title}[/bold]   {seconds:.0f} s{replayed}"
        return Panel(f"{title}\n{self._words}")


def made_view(console: Console) -> View:
    """The view that fits the console."""
    return Picture(console) if console.is_terminal else PlainLines(console)


def tree(seen: World) -> Tree:
    """From data to traffic; a TrainingJob and the version that it made share a line."""
    root = Tree("flights")
    features = root.add("FeatureSets")
    for node in seen.feature_sets.values():
        features.add(_node_text(node))
    training = root.add("TrainingJobs and their ModelVersions")
    for node in seen.training_jobs.values():
        text = _node_text(node)
        version = seen.model_versions.get(f"{node.name}-1")
        training.add(text.append("  \u2192  ").append(_node_text(version)) if version else text)
    if seen.deployment:
        root.add(_deployment_text(seen))
    return root


def _node_text(node: Node) -> Text:
    text = Text(f"{node.name}  ")
    text.append(node.phase, style=_COLOURS.get(node.phase, "cyan"))
    return text.append(f"  {node.words}", style="dim")


def _deployment_text(seen: World) -> Text:
    assert seen.deployment is not None
    status = seen.deployment.status
    text = Text(f"Deployment {seen.deployment.metadata.name}  ")
    text.append(status.phase or "Pending", style=_COLOURS.get(status.phase or "", "cyan"))
    if status.stable:
        pods = seen.ready_pods.get(status.stable.revision, 0)
        text.append(f"\nstable {status.stable.model_version} {status.stable.revision}, {pods} pods")
    if status.canary:
        canary = status.canary
        pods = seen.ready_pods.get(canary.revision, 0)
        text.append(
            f"\ncanary {canary.model_version} {canary.revision}, {pods} pods, "
            f"{canary.actual_weight} % of requests"
        )
    return text.append(f"\n{status.message or ''}", style="dim")


def evidence(seen: World) -> Table:
    """The metrics of the running or last rollout."""
    table = Table("metric", "canary", "stable", "harm", "safety", "verdict", box=box.SIMPLE_HEAD)
    for item in seen.analysis:
        table.add_row(
            item.metric,
            _rate(item.canary),
            _rate(item.stable),
            _bar(item.evidence, "red"),
            _bar(item.safety, "green"),
            Text(item.verdict, style=_COLOURS.get(item.verdict, "")),
        )
    return table


def evidence_lines(seen: World) -> list[str]:
    """The same in words."""
    return [
        f"  {item.metric}: canary {_rate(item.canary)}, stable {_rate(item.stable)}, "
        f"harm {item.evidence or '-'}, safety {item.safety or '-'}, {item.verdict}"
        for item in seen.analysis
        if seen.deployment and seen.deployment.status.canary
    ]


def traffic(seen: World, scene: str) -> Table:
    """What callers saw in the scene."""
    table = Table("answered by", "predictions", "over 250 ms", "errors", box=box.SIMPLE_HEAD)
    failed = seen.traffic.failed_answers(scene)
    for revision, count in sorted(seen.traffic.predictions(scene).items()):
        errors = [f"{n} x {status}" for (by, status), n in sorted(failed.items()) if by == revision]
        slow = seen.traffic.slow_share(scene, revision) or 0.0
        table.add_row(revision, f"{count:,}", f"{slow:.1%}", ", ".join(errors) or "none")
    for how, count in sorted(seen.traffic.unanswered(scene).items()):
        table.add_row("nobody", "", "", f"{count} x {how}")
    return table


def _rate(counts: object) -> str:
    bad, total = getattr(counts, "bad", "0"), getattr(counts, "total", 0)
    return f"{float(bad) / total:.3f} of {total:,}" if total else "-"


def _bar(ratio: str | None, colour: str) -> Text:
    if ratio is None:
        return Text("-")
    filled = round(min(1.0, max(0.0, float(ratio))) * _BAR_CELLS)
    text = Text("█" * filled, style=colour).append("░" * (_BAR_CELLS - filled), style="dim")
    return text.append(f" {float(ratio):.2f}")
