"""Trees, tables and headers as rich renderables; what they say is decided elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from serinus.cli.figures import age, share
from serinus.cli.health import Health, health, status_word
from serinus.cli.lineage import Node
from serinus.cli.objects import Arm, Canary, DeploymentDetails, Metric, Resource

STYLES = {
    Health.GOOD: "green",
    Health.ON_ITS_WAY: "blue",
    Health.WAITING: "yellow",
    Health.BAD: "red",
}
_VERDICT_STYLES = {"Successful": "green", "Failed": "red", "Error": "yellow", "NoData": "yellow"}
_RELEASES_SHOWN = 3


def columns(*names: str) -> Table:
    """Table of kubectl's looks, whose last column may wrap."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for name in names[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(names[-1], overflow="fold")
    return table


def object_view(resource: Resource, roots: Sequence[Node], now: datetime) -> RenderableType:
    """All that `get` shows of an object."""
    parts: list[RenderableType] = [header(resource, now)]
    if isinstance(resource.details, DeploymentDetails) and resource.details.metrics:
        parts += ["", metrics_table(resource.details.metrics)]
    return Group(*parts, "", tree_table(roots, now))


def header(resource: Resource, now: datetime) -> Table:
    """Name, status, and for a Deployment what serves and what is being released."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(f"{resource.kind}:", f"{resource.name}, namespace {resource.namespace}")
    table.add_row("Status:", _status(resource))
    if isinstance(resource.details, DeploymentDetails):
        for title, text in _release_rows(resource.details, now):
            table.add_row(title, text)
    return table


def metrics_table(metrics: Sequence[Metric]) -> Table:
    """What the metrics say; HARM and SAFE are shares of the evidence that decides."""
    table = columns("METRIC", "VERDICT", "CANARY", "STABLE", "HARM", "SAFE")
    for metric in metrics:
        table.add_row(
            metric.name,
            Text(metric.verdict, style=_VERDICT_STYLES.get(metric.verdict, "")),
            metric.value or _arm(metric.canary),
            _arm(metric.stable),
            _of_one(metric.harm),
            _of_one(metric.safety),
        )
    return table


def tree_table(roots: Sequence[Node], now: datetime) -> Table:
    """The tree, a line a node."""
    table = columns("NAME", "KIND", "STATUS", "AGE", "INFO")
    for root in roots:
        for branch, node in _lines(root, "", ""):
            status = Text(node.status, style=STYLES[node.health])
            table.add_row(
                f"{branch}{node.name}", node.kind, status, age(node.created_at, now), node.info
            )
    return table


def _lines(node: Node, first: str, rest: str) -> Iterator[tuple[str, Node]]:
    yield first, node
    for child in node.children:
        last = child is node.children[-1]
        yield from _lines(
            child, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   ")
        )


def _status(resource: Resource) -> Text:
    text = Text(status_word(resource), style=STYLES[health(resource)])
    return text.append(f"  {resource.message}", style="default") if resource.message else text


def _release_rows(details: DeploymentDetails, now: datetime) -> Iterator[tuple[str, str]]:
    if stable := details.stable:
        yield "Stable:", f"{stable.revision} ({stable.model_version}), for {age(stable.since, now)}"
    if details.canary:
        yield "Canary:", _canary(details.canary, now)
    for one in details.rejected[-_RELEASES_SHOWN:]:
        ago = age(one.at, now)
        yield "Rejected:", f"{one.revision} ({one.model_version}), {one.reason}, {ago} ago"
    if details.url:
        yield "Address:", details.url


def _canary(canary: Canary, now: datetime) -> str:
    name = f"{canary.revision} ({canary.model_version})"
    if canary.promoting:
        return f"{name}, promoted: waits for its pods"
    if not canary.steps:
        return f"{name}, the first revision: becomes stable when its pods are ready"
    step = canary.steps[min(canary.step, len(canary.steps) - 1)]
    since = age(canary.step_started_at, now)
    paused = f", paused by {canary.paused_by}" if canary.paused_by else ""
    position = f"step {canary.step + 1} of {len(canary.steps)} ({step}) for {since}"
    return f"{name}, {position}, {_share(canary)}{paused}"


def _share(canary: Canary) -> str:
    if canary.units_percent is not None:
        own, stables = canary.units
        return f"{canary.units_percent} % of units ({own} met, {stables} of stable)"
    weight = f"{canary.actual_weight_percent} % of requests"
    if canary.weight_percent != canary.actual_weight_percent:
        weight += f" ({canary.weight_percent} % asked for)"
    return weight


def _arm(arm: Arm | None) -> str:
    return share(arm.bad, arm.total) if arm else "-"


def _of_one(evidence: str) -> str:
    return f"{evidence} of 1" if evidence else "-"
