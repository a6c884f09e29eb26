"""Givens of rollout tests: one line says what matters, the rest is a healthy rollout."""

from dataclasses import dataclass, replace
from typing import Any

from serinus.api.enums import AnalysisMode, OnEvent, Reason, Verb
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, Judgement, PodFacts, Request, RolloutFacts
from serinus.rollout.steps import Analyze, Pause, SetWeight, Step

STEPS: tuple[Step, ...] = (
    SetWeight(20),
    Analyze(min_samples=50, min_duration_seconds=0, max_duration_seconds=1800, last=False),
    Pause(600),
    Pause(None),
    SetWeight(50),
    Analyze(min_samples=50, min_duration_seconds=60, max_duration_seconds=1800, last=True),
)
AT_WEIGHT, AT_FIRST_ANALYSIS, AT_TIMED_PAUSE, AT_PAUSE, AT_SECOND_WEIGHT, AT_LAST_ANALYSIS = range(
    6
)
SENTENCE = "what the analysis says"


@dataclass(frozen=True)
class Given:
    """A rollout whose pods are ready and have traffic; each word changes one thing."""

    facts: RolloutFacts

    def but(self, **changes: Any) -> "Given":
        return Given(replace(self.facts, **changes))

    def at(self, step: int, *, for_seconds: float = 0.0) -> "Given":
        return self.but(step_index=step, step_seconds=for_seconds)

    def judged(self, overall: Overall | None) -> "Given":
        return self.but(judgement=Judgement(overall, SENTENCE) if overall else None)

    def looming(self, harm_ratio: float) -> "Given":
        return self.but(judgement=Judgement(Overall.NO_HARM, SENTENCE, harm_ratio))

    def asked(self, verb: Verb, reason: str = "") -> "Given":
        return self.but(request=Request(verb, "ada", reason))

    def pods(self, available: int, *, of: int, waiting: float = 0.0, problem: str = "") -> "Given":
        why = Finding(Reason.SECRET_MISSING, problem) if problem else None
        return self.but(pods=PodFacts(of, available, waiting, why))

    def promoting(self) -> "Given":
        return self.but(promoting=True)

    def withdrawn(self) -> "Given":
        return self.but(
            mode=AnalysisMode.PAUSE, withdrawn=Finding(Reason.EVIDENCE_OF_HARM, SENTENCE)
        )

    def on_deadline(self, what: OnEvent) -> "Given":
        return self.but(on_deadline=what)

    def on_no_data(self, what: OnEvent) -> "Given":
        return self.but(on_no_data=what)

    def waits_for_another_model(self) -> "Given":
        waits = Finding(Reason.WAITING_FOR_MODEL_VERSION, "waits for ModelVersion `v9`")
        return self.but(reference_problem=waits)


def rollout() -> Given:
    """A canary at its first step, everything in order, nothing judged yet."""
    return Given(
        RolloutFacts(
            revision="c0ffee0000",
            model_version="delay-2",
            steps=STEPS,
            step_index=AT_WEIGHT,
            step_seconds=0.0,
            stable_replicas=4,
            pods=PodFacts(wanted=1, available=1),
            progress_deadline_seconds=600.0,
            has_traffic=True,
            judgement=Judgement(Overall.NOT_ENOUGH, SENTENCE),
        )
    )
