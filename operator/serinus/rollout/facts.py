"""What the rules may look at: facts about a rollout that were observed or stored, nothing else.

The rules never see Kubernetes objects, samples or a clock. Who gathers the facts:
`reconcile/deployment_facts.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from serinus.api.enums import AnalysisMode, OnEvent, Reason, Verb
from serinus.api.verdicts import Overall
from serinus.rollout.hooks import HookFacts
from serinus.rollout.promotion_window import Closed
from serinus.rollout.sample_ratio import SampleRatio
from serinus.rollout.steps import Step
from serinus.rollout.weights import Router


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: why, and one line for people."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for in this pass, already checked to be meant for this rollout."""

    verb: Verb
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """Pods of the canary against what the step needs.

    Attributes
    ----------
    waiting_seconds
        Since when pods are missing; 0 when none is.
    problem
        Why a pod can't start, from its status; None when nothing is known to be wrong.
    """

    wanted: int
    available: int
    waiting_seconds: float = 0.0
    problem: Finding | None = None

    @property
    def ready(self) -> bool:
        """Whether the step has all its pods."""
        return self.available >= self.wanted


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the analysis says of the canary; see `api.verdicts.Overall`.

    `harm_ratio` is the evidence of harm as it stands, of the metric that has most, over what rolls
    back.
    """

    overall: Overall
    sentence: str
    harm_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """A canary beside a stable revision.

    Attributes
    ----------
    step_seconds
        How long the step has lasted, without the time in which its clock stood still.
    stable_replicas
        Pods that stable should have now: beside them a weight becomes a number of pods.
    traffic_problem
        Why the canary doesn't get the requests that it should; None when it does, or when it
        should get none.
    router_problem
        Why the router can't do what it should, so that nothing may be promoted; None when it can.
    has_traffic
        Whether the Service sends requests to the canary.
    judgement
        None before the canary has traffic.
    returning
        Whether it was stable within the rollback window, and so takes no steps.
    paused_by
        Who paused it; None when nobody did.
    withdrawn
        The evidence for which its requests were taken away; None when they weren't.
    sample_ratio
        How the units of an A/B test were split; None without one.
    window_closed
        Until when no promotion window is open; None when one is, or when there are none.
    hooks
        Who outside is asked about this rollout, and what they say.
    reference_problem
        Why the model reference leads nowhere; None when it leads to a version.
    canary_version_rejected
        Whether the canary's own ModelVersion is rejected by now.
    """

    revision: str
    model_version: str
    steps: tuple[Step, ...]
    step_index: int
    step_seconds: float
    stable_replicas: int
    pods: PodFacts
    progress_deadline_seconds: float
    has_traffic: bool = False
    traffic_problem: str | None = None
    router: Router = Router.REPLICAS
    router_problem: Finding | None = None
    judgement: Judgement | None = None
    promoting: bool = False
    returning: bool = False
    paused_by: str | None = None
    withdrawn: Finding | None = None
    sample_ratio: SampleRatio | None = None
    window_closed: Closed | None = None
    hooks: tuple[HookFacts, ...] = ()
    suspended: bool = False
    rejected: bool = False
    request: Request | None = None
    reference_problem: Finding | None = None
    canary_version_rejected: bool = False
    mode: AnalysisMode = AnalysisMode.AUTO
    on_deadline: OnEvent = OnEvent.HOLD
    on_no_data: OnEvent = OnEvent.HOLD
    on_provider_error: OnEvent = OnEvent.HOLD

    @property
    def step(self) -> Step | None:
        """The current step; None when all are over."""
        over = self.returning or self.step_index >= len(self.steps)
        return None if over else self.steps[self.step_index]

    @property
    def observes(self) -> bool:
        """Whether evidence is only shown and decides nothing."""
        return self.mode is AnalysisMode.OBSERVE

    @property
    def overall(self) -> Overall | None:
        """What the analysis says; None before the canary has traffic."""
        return self.judgement.overall if self.judgement else None

    def asked_for(self, verb: Verb) -> bool:
        """Whether a person asks for `verb` in this pass."""
        return self.request is not None and self.request.verb is verb

    @property
    def name(self) -> str:
        """The canary in a message."""
        return f"revision {self.revision} ({self.model_version})"


Facts = TypeVar("Facts")
Rule = Callable[[Facts], Finding | None]


def first_match(rules: tuple[Rule[Facts], ...], facts: Facts) -> Finding | None:
    """What the first rule that applies found; None when none does."""
    return next((found for rule in rules if (found := rule(facts)) is not None), None)
