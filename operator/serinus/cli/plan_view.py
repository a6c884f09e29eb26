"""A plan as people read it: steps, metrics, advice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from serinus.analysis.plan import Detection, MetricPlan, ReleasePlan, Stage
from serinus.analysis.plan_advice import (
    Accepted,
    Advice,
    LongerAnalysis,
    NeverDecided,
    WiderMargin,
)
from serinus.cli.session import Session
from serinus.cli.terminal import show
from serinus.cli.tree_view import columns
from serinus.rollout.steps import Pause, SetWeight, Shadow, Step, described

_HOUR, _MINUTE = 3600, 60


def show_steps(
    steps: Sequence[Step], stages: Sequence[Stage], plan: ReleasePlan, session: Session
) -> None:
    """What each step asks for, and how long it takes."""
    table = columns("STEP", "CANARY GETS", "TAKES")
    ends = (0.0, *plan.stage_seconds)
    takes = [duration(end - begin) for begin, end in pairwise(ends)]
    takes += ["not over in its time"] * (len(stages) > len(takes))
    takes += ["-"] * (len(stages) - len(takes))
    for number, (step, stage, took) in enumerate(zip(steps, stages, takes, strict=True), start=1):
        waits = isinstance(step, Pause) and step.duration_seconds is None
        pods = isinstance(step, SetWeight)
        shown = "until somebody says promote" if waits else "until its pods are ready" * pods
        share = f"{100 * stage.canary_share:.0f} %"
        gets = "mirrored only" if isinstance(step, Shadow) else share
        table.add_row(f"{number} {described(step)}", gets, shown or took)
    show(session.console, table)
    if plan.promoted_seconds is not None:
        session.console.print(
            f"a version like stable is promoted after {duration(plan.promoted_seconds)}"
        )


def show_metrics(metrics: Sequence[MetricPlan], session: Session) -> None:
    """What becomes of versions that are worse, metric by metric."""
    table = columns("METRIC", "TODAY", "HARM ABOVE", "SAFE BELOW", "x1.5", "x2", "x5", "ALL BAD")
    for one in metrics:
        by_factor = {found.factor: _outcome(found) for found in one.detections}
        table.add_row(
            one.metric,
            *(f"{100 * rate:.3g} %" for rate in (one.rate, one.harm_above, one.safe_below)),
            *(by_factor.get(factor, "-") for factor in (1.5, 2.0, 5.0, math.inf)),
        )
    show(session.console, table)


def _outcome(found: Detection) -> str:
    if found.seconds is not None:
        return f"rolled back after {duration(found.seconds)}, {found.canary_requests:,.0f} requests"
    return "promoted" if found.promoted else "held"


def sentence(one: Advice) -> str:
    """A piece of advice in words."""
    match one:
        case LongerAnalysis(seconds=seconds):
            return f"the last analysis ends with `maxDuration: {duration(seconds)}` or more"
        case WiderMargin(metric=metric, increase=increase):
            return (
                f"`{metric}` is decided in time with `nonInferiorityMargin: "
                f'{{ratio: …, increase: "{increase:g}"}}`'
            )
        case NeverDecided(metrics=metrics):
            return (
                f"{', '.join(metrics)}: neither a day of waiting nor a wider margin decides it; "
                "there is too little traffic. Raise the weights, or judge by `max`"
            )
        case Accepted(metric=metric, factor=factor, safe_below=below):
            worse = "in which every event is bad" if math.isinf(factor) else f"{factor:g} times"
            return (
                f"`{metric}`: a version {worse} as bad is typically promoted: the margin accepts "
                f"up to {100 * below:.3g} %; a narrower one finds it, and takes longer"
            )


def duration(seconds: float) -> str:
    """`45s`, `12m`, `1h20m`: rounded up, as a manifest takes it."""
    whole = math.ceil(seconds)
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    minutes = math.ceil(whole / _MINUTE)
    if whole < 2 * _HOUR:
        return f"{minutes}m"
    hours, left = divmod(minutes, 60)
    return f"{hours}h{left}m" if left else f"{hours}h"
