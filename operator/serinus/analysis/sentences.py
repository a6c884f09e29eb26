"""What people read about a metric: the counts first, then what follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.analysis.scalar import ScalarState
from serinus.analysis.spec import LABEL_TEMPLATES, AgainstMaximum, RateRule, ScalarRule
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts, MetricVerdict, Overall, RateLimits, Verdict

_WORDS = {
    MetricTemplate.ERROR_RATE: "bad",
    MetricTemplate.SLOW_REQUESTS: "slow",
    MetricTemplate.WRONG_PREDICTIONS: "wrong",
    MetricTemplate.PREDICTION_LOSS: "lost",
    MetricTemplate.OUT_OF_RANGE: "out of range",
    MetricTemplate.FALSE_NEGATIVES: "missed",
    MetricTemplate.FALSE_POSITIVES: "false alarms",
}
_NOT_EVIDENCE = "this is not evidence"
_SLOW_INFLATION = 10


def rate_sentence(
    rule: RateRule,
    said: MetricVerdict,
    *,
    problem: str | None = None,
    silent: Sequence[str] = (),
    unlike: str | None = None,
) -> str:
    """One line, e.g. `errors: canary 40 of 500 bad, stable 9 of 9500; harm shown (…)`."""
    role = _role(gate=rule.gate, dry_run=rule.dry_run)
    consequence = _consequence(said, problem, silent, unlike)
    return f"{rule.name}: {_counted(rule, said)}; {consequence}{_left_out(said)}{role}"


def _role(*, gate: bool, dry_run: bool) -> str:
    return " (dry run)" if dry_run else "" if gate else " (only alarms)"


def rate_warning(
    rule: RateRule, limits: RateLimits, constant_rate: float | None, *, labels_wait: bool
) -> str:
    """What people should know of the metric before they rely on it; empty when nothing."""
    warnings = []
    if constant_rate is not None and limits.accepted_rate >= constant_rate:
        warnings.append(
            f"a version up to {limits.accepted_rate:.3g} {_WORDS[rule.template]} is accepted, and "
            f"the best constant answer has {constant_rate:.3g}: it would pass. Narrow the margin"
        )
    if rule.template in LABEL_TEMPLATES and not labels_wait:
        warnings.append(
            "labels count as they come: where one outcome is known sooner, a worse version can "
            "pass. Set `server.feedback.maturity` to the time by which most have come"
        )
    if limits.variance_inflation >= _SLOW_INFLATION:
        times = f"{limits.variance_inflation:.0f} times"
        warnings.append(
            f"bad events come {times} as bunched as independent ones, so a decision takes "
            f"{times} as many requests"
        )
    return "; ".join(warnings)


def _counted(rule: RateRule, said: MetricVerdict) -> str:
    if said.canary.total == 0:
        return "nothing counted of the canary yet"
    canary = f"canary {_of(said.canary)} {_WORDS[rule.template]}"
    stable = f", stable {_of(said.stable)}" if rule.against_stable else ""
    maxima = [one.maximum for one in rule.comparisons if isinstance(one, AgainstMaximum)]
    allowed = f", at most {min(maxima) * 100:g} % allowed" if maxima else ""
    return f"{canary}{stable}{allowed}"


def _left_out(said: MetricVerdict) -> str:
    """Which pods don't count yet; a version that is harmful or safe is so without them."""
    arms = (("canary", said.cold_canary_pods), ("stable", said.cold_stable_pods))
    cold = [f"{pods} of {arm}" for arm, pods in arms if pods]
    if said.verdict is not Verdict.INCONCLUSIVE or not cold:
        return ""
    return f"; new pods don't count during their `warmup`: {' and '.join(cold)}"


def _consequence(
    said: MetricVerdict, problem: str | None, silent: Sequence[str], unlike: str | None
) -> str:
    harm, safe = said.evidence_ratio, said.safe_evidence_ratio or 0.0
    match said.verdict:
        case Verdict.FAILED if harm >= 1:
            return f"harm shown (evidence {harm:.1f} of 1)"
        case Verdict.FAILED:
            return f"harm shown together with the other metrics (evidence {harm:.2f} of 1 alone)"
        case Verdict.ERROR:
            return f"can't be measured: {problem}; {_NOT_EVIDENCE}"
        case Verdict.NO_DATA if silent:
            samples = f"no new samples of {' and '.join(silent)}"
            return f"{samples} (are the pods scraped?); {_NOT_EVIDENCE}"
        case Verdict.NO_DATA:
            return (
                f"{unlike}, so nothing can be compared; {_NOT_EVIDENCE}. Release the change of "
                "`server.feedback` without this metric (`dryRun: true`), or `promote` it"
            )
        case Verdict.SUCCESSFUL:
            return f"shown to be no worse than the margin (evidence {safe:.1f} of 1)"
        case Verdict.INCONCLUSIVE:
            evidence = f"undecided (harm {harm:.2f} of 1, safe {safe:.2f} of 1)"
            if said.requests_needed:
                return f"{evidence}, about {said.requests_needed} more canary requests needed"
            return evidence


def scalar_sentence(
    rule: ScalarRule, state: ScalarState, verdict: Verdict, *, problem: str | None = None
) -> str:
    """One line, e.g. `queue: 120, at most 100 allowed; outside its limits 3 times, …`."""
    wrong = problem or state.problem
    if verdict in (Verdict.ERROR, Verdict.NO_DATA):
        text = f"can't be measured: {wrong}; {_NOT_EVIDENCE}"
    elif state.measurements == 0:
        text = "not measured yet"
    else:
        shown = "no number yet" if state.value is None else f"{state.value:g}"
        text = f"{shown}{_limits(rule)}; {_failures(rule, state)}"
        if rule.count is not None:
            text = f"{text}; {state.counted} of {rule.count} in its step"
        if wrong:
            text = f"{text}; last time: {wrong}"
    return f"{rule.name}: {text}{_role(gate=rule.gate, dry_run=rule.dry_run)}"


def overall_sentence(
    overall: Overall, gates: Sequence[MetricVerdict], requests_needed: int | None
) -> str:
    """What all gating metrics together say; `requests_needed` is the most that one still needs."""
    match overall:
        case Overall.HARM | Overall.LIMIT_EXCEEDED:
            return _of_those(gates, Verdict.FAILED)
        case Overall.ERROR:
            return _of_those(gates, Verdict.ERROR)
        case Overall.BEHIND:
            return "no harm in the samples that were read; newer ones are read next"
        case Overall.NO_DATA:
            return _of_those(gates, Verdict.NO_DATA)
        case Overall.SAFE:
            return "every gating metric is shown to be no worse than its margin"
        case Overall.NO_HARM:
            wanted = _wanted(gates, requests_needed)
            return f"no harm shown; {wanted} needed to show that it is safe"
        case Overall.NOT_ENOUGH:
            wanted = _wanted(gates, requests_needed)
            if any(gate.holds_a_step for gate in gates):
                wanted = "requests that the step's new pods answer after their `warmup` are"
            return f"too little was measured to judge; {wanted} needed"
        case Overall.NO_METRICS:
            return "no metric gates: without evidence"


def _of_those(gates: Sequence[MetricVerdict], verdict: Verdict) -> str:
    return "; ".join(gate.sentence for gate in gates if gate.verdict is verdict)


def _wanted(gates: Sequence[MetricVerdict], requests_needed: int | None) -> str:
    open_ones = [gate for gate in gates if gate.verdict is not Verdict.SUCCESSFUL]
    wanted = []
    if any(gate.is_rate for gate in open_ones):
        about = f"about {requests_needed} " if requests_needed else ""
        wanted.append(f"{about}more canary requests")
    scalars = [gate for gate in open_ones if not gate.is_rate]
    wanted += [
        f"a person's `promote` or `abort`, because {gate.sentence}"
        if gate.left_to_a_person
        else f"a measurement of `{gate.metric}` within its limits"
        for gate in scalars
    ]
    return " and ".join(wanted)


def _limits(rule: ScalarRule) -> str:
    least = f", at least {rule.minimum:g}" if rule.minimum is not None else ""
    most = f", at most {rule.maximum:g}" if rule.maximum is not None else ""
    return f"{least}{most} allowed" if least or most else ""


def _failures(rule: ScalarRule, state: ScalarState) -> str:
    times = f"of {state.measurements} times"
    failed = f"outside its limits {state.failures} {times}, {rule.failure_limit} tolerated"
    if not state.inconclusive:
        return failed
    unclear = f"inconclusive {state.inconclusive} {times}, {rule.inconclusive_limit} tolerated"
    return f"{failed}; {unclear}"


def _of(counts: Counts) -> str:
    bad = f"{counts.bad:.1f}".removesuffix(".0")
    return f"{bad} of {counts.total}"
