"""Custom PromQL scalars: plain accounting in the words of Argo Rollouts, without stated error rate.

A measurement outside the limits counts as a failure; one within them that isn't yet a success is
inconclusive, as where Argo's successCondition and failureCondition are both false. Everything that
isn't one finite number (NaN, an empty answer, two series, a query that is refused) says nothing
about the canary: it counts as an error or as no data, never as a failure and never as a success. A
provider that doesn't answer at all is no measurement: the question stays open, and `judge` stands
still meanwhile.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from datetime import datetime

from serinus.analysis.moments import from_ms, to_ms
from serinus.analysis.samples import QueryFailure, QueryResult
from serinus.analysis.spec import AnalysisContext, ScalarRule
from serinus.api.verdicts import Verdict

_VERSION = "s1"
_LATER_FIELDS = ("inconclusive", "counted", "counted_step_ms")
_PROBLEM_SHOWN = 200
_PLAIN = {ord(character): "'" for character in '"\\'}  # JSON would make two characters of it


@dataclass(frozen=True, slots=True)
class ScalarState:
    """What is remembered of the measurements.

    Attributes
    ----------
    measured_at_ms
        When the last measurement was due; the next is an interval later. None before the first.
    value
        The last number.
    last, problem
        Verdict on the last measurement alone, and what was wrong with it if it was no number.
    numbered_at_ms
        When the last measurement that was a number was due; None before the first.
    inconclusive
        Measurements that were neither success nor failure.
    counted, counted_step_ms
        Numbers that were measured in one step, and when that step began.
    """

    measured_at_ms: int | None = None
    measurements: int = 0
    failures: int = 0
    consecutive_errors: int = 0
    value: float | None = None
    last: Verdict | None = None
    problem: str = ""
    numbered_at_ms: int | None = None
    inconclusive: int = 0
    counted: int = 0
    counted_step_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A measurement that yielded no number, `verdict` being Error or NoData."""

    verdict: Verdict
    problem: str


def scalar_due_ms(
    rule: ScalarRule,
    state: ScalarState,
    *,
    started_ms: int,
    now_ms: int,
    step_ms: int | None = None,
) -> int | None:
    """When the next measurement is evaluated; None while it isn't due.

    Moments lie on a grid from `started_ms`, so a repeated pass asks for the same moment again;
    measurements that were missed are left out, not made up for. With a `count` none is due that
    lies before the step, nor one more when the step has them all.
    """
    interval = max(1, round(rule.interval.total_seconds() * 1000))
    if now_ms < started_ms:
        return None
    due = started_ms + (now_ms - started_ms) // interval * interval
    if rule.count is not None and (due < (step_ms or 0) or _is_complete(rule, state, step_ms)):
        return None
    return due if state.measured_at_ms is None or due > state.measured_at_ms else None


def measurement(answer: QueryResult) -> float | Unmeasured:
    """The one number in `answer`, or why there is none."""
    if isinstance(answer, QueryFailure):
        return Unmeasured(Verdict.ERROR, f"{answer.kind}: {answer.message}")
    if not answer or not answer[0].samples:
        return Unmeasured(Verdict.NO_DATA, "the query returns nothing; check its metric and labels")
    if len(answer) > 1:
        problem = (
            f"the query returns {len(answer)} series instead of one; aggregate with max or sum"
        )
        return Unmeasured(Verdict.ERROR, problem)
    value = answer[0].samples[-1][1]
    if not math.isfinite(value):
        problem = f"the query returns {value}, which is no number; guard what it divides by"
        return Unmeasured(Verdict.ERROR, problem)
    return value


def after_measurement(
    rule: ScalarRule,
    state: ScalarState,
    found: float | Unmeasured,
    *,
    due_ms: int,
    step_ms: int | None = None,
) -> ScalarState:
    """The state with one more measurement; only numbers count towards `count`."""
    measured = replace(state, measured_at_ms=due_ms, measurements=state.measurements + 1)
    if isinstance(found, Unmeasured):
        errors = state.consecutive_errors + (found.verdict is Verdict.ERROR)
        return replace(
            measured, consecutive_errors=errors, last=found.verdict, problem=_short(found.problem)
        )
    said = phase(rule, found)
    return replace(
        measured,
        failures=state.failures + (said is Verdict.FAILED),
        consecutive_errors=0,
        value=found,
        last=said,
        problem="",
        numbered_at_ms=due_ms,
        inconclusive=state.inconclusive + (said is Verdict.INCONCLUSIVE),
        counted=_counted(state, step_ms) + 1,
        counted_step_ms=step_ms,
    )


def _counted(state: ScalarState, step_ms: int | None) -> int:
    return state.counted if state.counted_step_ms == step_ms else 0


def _is_complete(rule: ScalarRule, state: ScalarState, step_ms: int | None) -> bool:
    return rule.count is not None and _counted(state, step_ms) >= rule.count


def _short(problem: str) -> str:
    """At most 200 printable ASCII characters, which JSON doesn't make longer."""
    one_line = " ".join(problem.split())[:_PROBLEM_SHOWN].translate(_PLAIN)
    return "".join(one if " " <= one <= "~" else "?" for one in one_line)


def phase(rule: ScalarRule, value: float) -> Verdict:
    """What one number says by itself; a limit belongs to what it limits."""
    if not _is_between(rule.minimum, value, rule.maximum):
        return Verdict.FAILED
    if _is_between(rule.success_minimum, value, rule.success_maximum):
        return Verdict.SUCCESSFUL
    return Verdict.INCONCLUSIVE


def _is_between(low: float | None, value: float, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def scalar_verdict(
    rule: ScalarRule, state: ScalarState, context: AnalysisContext, now: datetime
) -> Verdict:
    """The verdict on all measurements so far; success needs those of the present step.

    Where the step has all that `count` asks for, the last of them needs to be no better than the
    others: how many may be bad is said by the limits.
    """
    if state.failures > rule.failure_limit:
        return Verdict.FAILED
    if state.consecutive_errors > rule.consecutive_error_limit:
        return Verdict.ERROR
    if is_left_to_a_person(rule, state):
        return Verdict.INCONCLUSIVE
    if _is_complete(rule, state, step_ms(context)):
        return Verdict.SUCCESSFUL
    if state.last is Verdict.NO_DATA and _is_silent(state, context, now):
        return Verdict.NO_DATA
    within = state.last is Verdict.SUCCESSFUL and is_measured(rule, state, context)
    return Verdict.SUCCESSFUL if within else Verdict.INCONCLUSIVE


def is_left_to_a_person(rule: ScalarRule, state: ScalarState) -> bool:
    """Whether it was inconclusive more often than tolerated, which no measurement takes back."""
    return state.inconclusive > rule.inconclusive_limit


def is_measured(rule: ScalarRule, state: ScalarState, context: AnalysisContext) -> bool:
    """Whether the present step has the measurements that it needs.

    That is all of `count`; without one, the last has to be a number and of the step.
    """
    if rule.count is not None:
        return _is_complete(rule, state, step_ms(context))
    if state.last in (None, Verdict.ERROR, Verdict.NO_DATA) or state.numbered_at_ms is None:
        return False
    since = context.measured_since
    return since is None or from_ms(state.numbered_at_ms) >= since


def step_ms(context: AnalysisContext) -> int | None:
    """When the present step began, by which a scalar's `count` is kept."""
    return None if context.step_started_at is None else to_ms(context.step_started_at)


def _is_silent(state: ScalarState, context: AnalysisContext, now: datetime) -> bool:
    known = state.numbered_at_ms
    last = context.silence_from if known is None else max(from_ms(known), context.silence_from)
    return last < now - context.no_data_timeout


def encode_scalar_state(state: ScalarState) -> str:
    """The state as one opaque string."""
    fields = [
        state.measured_at_ms,
        state.measurements,
        state.failures,
        state.consecutive_errors,
        state.value,
        state.last,
        state.problem,
        state.numbered_at_ms,
        state.inconclusive,
        state.counted,
        state.counted_step_ms,
    ]
    return _VERSION + json.dumps(fields, separators=(",", ":"))


def decode_scalar_state(text: str) -> ScalarState:
    """The state that `text` holds.

    Raises
    ------
    ValueError
        If `text` is damaged or of an unknown version.
    """
    if not text.startswith(_VERSION + "["):
        raise ValueError("unknown version of the analysis state")
    try:
        measured_at_ms, measurements, failures, errors, value, last, problem, *more = json.loads(
            text[len(_VERSION) :]
        )
        return ScalarState(
            measured_at_ms=measured_at_ms,
            measurements=measurements,
            failures=failures,
            consecutive_errors=errors,
            value=value,
            last=Verdict(last) if last else None,
            problem=problem,
            # Absent in what was written before it was kept: the step has to measure anew.
            numbered_at_ms=more[0] if more else None,
            **dict(zip(_LATER_FIELDS, more[1:], strict=False)),
        )
    except TypeError as error:
        raise ValueError("damaged analysis state") from error
