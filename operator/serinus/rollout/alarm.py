"""Why people are told of a metric that decides nothing.

The name of a rule is that of its `Reason`.
"""

from __future__ import annotations

from serinus.api.enums import Reason
from serinus.api.verdicts import MetricVerdict
from serinus.rollout.facts import Finding


def metric_alarm(verdict: MetricVerdict) -> Finding | None:
    """A metric with `gate: false` shows harm: an event tells it, the rollout goes its way."""
    if not verdict.alarms:
        return None
    return Finding(Reason.METRIC_ALARM, f"{verdict.sentence}; `kubectl serinus abort` would end it")
