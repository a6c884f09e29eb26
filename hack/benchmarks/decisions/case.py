"""What a case is: traffic, what is wrong with it, what judges it, and what is required of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.decisions.labels import LabelDelay
from benchmarks.decisions.spread import Independent, Spread
from benchmarks.decisions.traffic import RateAt, Traffic
from serinus.analysis.spec import AnalysisRules, RateRule


@dataclass(frozen=True, slots=True)
class SimulatedMetric:
    """One metric: its rule, and the rates of bad answers that its arms really have.

    Attributes
    ----------
    users
        Metrics of the same users count the same requests, `share_of_requests` of all.
    peers_limit
        Rate that the peers' thresholds allow.
    """

    rule: RateRule
    stable: RateAt
    canary: RateAt
    peers_limit: float
    spread: Spread = field(default_factory=Independent)
    users: str = ""
    share_of_requests: float = 1.0
    delay: LabelDelay | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """A pod goes at one second, and another one with a new name begins to serve at a later one."""

    pod: int
    gone_at: float
    replaced_at: float


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happens to the samples on their way.

    Attributes
    ----------
    missed_share
        Share of the scrapes of each pod that don't happen.
    restart_share
        Share of the scrape intervals of each pod within which its process starts over.
    canary_replaced, stable_replaced
        Pods whose series vanish.
    provider_away
        From one second to another nothing is scraped and nothing is answered.
    """

    missed_share: float = 0.0
    restart_share: float = 0.0
    canary_replaced: tuple[Replacement, ...] = ()
    stable_replaced: tuple[Replacement, ...] = ()
    provider_away: tuple[float, float] | None = None


class Measure(StrEnum):
    """What is measured over the rollouts of a case."""

    ROLLED_BACK = "rolled back"
    PROMOTED = "promoted"
    MEDIAN_SECONDS = "median seconds to rollback"
    P95_SECONDS = "95th percentile of seconds to rollback"
    P95_REQUESTS = "95th percentile of canary requests to rollback"
    MEAN_OVER_BOUND = "mean canary requests to rollback over the information bound"
    DIFFERENT_STATES = "states that differ after a crash"
    MILLISECONDS = "milliseconds a metric and round"


class Sense(StrEnum):
    """Which side of the limit is wanted."""

    AT_MOST = "<="
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Requirement:
    """A figure that has to be reached."""

    measure: Measure
    sense: Sense
    limit: float

    def is_met(self, measured: float) -> bool:
        """Whether `measured` is on the wanted side."""
        return measured <= self.limit if self.sense is Sense.AT_MOST else measured >= self.limit


class Group(StrEnum):
    """Chapters of the result, in order."""

    HEALTHY = "Healthy versions"
    HARMFUL = "Bad versions"
    PROMOTION = "Promotion"
    LABELS = "Labels and scores"


@dataclass(frozen=True, slots=True)
class Case:
    """Many rollouts of one kind.

    Attributes
    ----------
    row
        Of the figures to reach; empty where a case stands for none of them.
    rules
        As the product takes them.
    cap
        The most evidence of one round; None: the product's own.
    fault_at
        When the canary's fault begins; delays count from here.
    disturbance, warmup_seconds
        With either, every rollout goes the whole way of samples.
    rollouts_share
        For cases that take very long: share of the rollouts asked for that is played.
    true_inflation
        By how much the spread inflates the variance: the bound grows by it.
    """

    name: str
    title: str
    group: Group
    traffic: Traffic
    metrics: tuple[SimulatedMetric, ...]
    rules: AnalysisRules
    row: str = ""
    requirements: tuple[Requirement, ...] = ()
    cap: float | None = None
    fault_at: float | None = None
    disturbance: Disturbance | None = None
    rollouts_share: float = 1.0
    true_inflation: float = 1.0
    warmup_seconds: float = 0.0

    @property
    def goes_by_rounds(self) -> bool:
        """Whether rounds are known without the samples: they are the scrape intervals."""
        return self.disturbance is None and not self.warmup_seconds
