"""What the analysis says and the rollout acts on; the two meet only here.

`Verdict` is about one metric, `Overall` about the canary. A failure to measure has words of its
own, so that it can never be taken for a bad measurement, nor silence for success.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What is known about one metric."""

    SUCCESSFUL = "Successful"
    """Shown to be no worse than the margin allows; for a scalar: within its limits."""
    FAILED = "Failed"
    """Harm beyond the tolerance is shown; for a scalar: outside its limits too often."""
    INCONCLUSIVE = "Inconclusive"
    """Neither is shown yet."""
    ERROR = "Error"
    """The metric can't be measured; this is never evidence."""
    NO_DATA = "NoData"
    """There were no samples for longer than the timeout; this is never evidence."""


class Overall(StrEnum):
    """What all metrics together say about the canary, in the order in which they are checked."""

    HARM = "Harm"
    """Evidence of harm crossed what alpha allows: roll back."""
    LIMIT_EXCEEDED = "LimitExceeded"
    """A custom scalar was outside its limits more often than allowed: roll back."""
    ERROR = "Error"
    """A gating metric can't be measured: stand still."""
    BEHIND = "Behind"
    """Samples of a gating metric are there that weren't read yet: stand still until they are."""
    NO_DATA = "NoData"
    """A gating metric has no samples: stand still."""
    SAFE = "Safe"
    """Every gating metric is shown to be no worse than its margin: may be promoted."""
    NO_HARM = "NoHarm"
    """Enough requests and no harm, but safety isn't shown: a middle step may advance."""
    NOT_ENOUGH = "NotEnough"
    """Too few requests to say anything."""
    NO_METRICS = "NoMetrics"
    """No metric gates: readiness and time have to do, and status says "without evidence"."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Bad events out of all of them; `bad` is fractional for a prediction loss."""

    bad: float = 0.0
    total: int = 0


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What tolerance and margin come to beside stable as it is now, as absolute rates.

    Attributes
    ----------
    stable_rate
        Stable's rate, from before the rollout and since. None where it isn't compared with.
    tolerated_rate
        Beyond it a canary is harmful.
    accepted_rate
        A canary below it may be promoted.
    inflation_source
        Where `variance_inflation` comes from: given, measured or fallback.
    """

    stable_rate: float | None
    tolerated_rate: float
    accepted_rate: float
    variance_inflation: float
    inflation_source: str


@dataclass(frozen=True, slots=True)
class MetricVerdict:
    """One metric's verdict with the numbers that say why.

    Attributes
    ----------
    evidence_ratio
        Evidence of harm over the evidence at which this metric alone rolls back: 1 = rollback.
        Negative evidence shows as 0. For a scalar: failed measurements over those allowed.
    safe_evidence_ratio
        Evidence of safety over the evidence that promotion needs: 1 = shown. None for a scalar.
    requests_needed
        Canary requests still needed to show safety if the rates stay as they are; 0 when shown,
        None when there is no estimate or when at these rates it can't be shown.
    limits
        None for a scalar, and before a rate was measured.
    warning
        What people should know of the metric whatever its verdict; empty when nothing.
    value
        The last measurement of a scalar. None for a rate.
    newest_sample_at
        Newest sample of the arm that is behind; None before the first one.
    gate
        False when the metric only alarms, or is a dry run: it decides nothing.
    dry_run
        Whether it doesn't even alarm.
    left_to_a_person
        Whether a scalar was inconclusive more often than allowed: measuring on decides nothing.
    cold_canary_pods, cold_stable_pods
        Pods whose first requests were left out of the last round, in their warm-up.
    holds_a_step
        Whether they are so many that a step isn't judged by the others.
    """

    metric: str
    verdict: Verdict
    sentence: str
    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)
    evidence_ratio: float = 0.0
    safe_evidence_ratio: float | None = None
    requests_needed: int | None = None
    limits: RateLimits | None = None
    warning: str = ""
    value: float | None = None
    newest_sample_at: datetime | None = None
    gate: bool = True
    dry_run: bool = False
    left_to_a_person: bool = False
    cold_canary_pods: int = 0
    cold_stable_pods: int = 0
    holds_a_step: bool = False

    @property
    def is_rate(self) -> bool:
        """Whether it counts bad of total; else it is a scalar."""
        return self.safe_evidence_ratio is not None

    @property
    def alarms(self) -> bool:
        """Whether it says harm and nothing but people can be told."""
        return self.verdict is Verdict.FAILED and not self.gate and not self.dry_run
