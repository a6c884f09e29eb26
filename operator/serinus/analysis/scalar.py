"""Custom PromQL scalars: plain accounting in the words of Argo Rollouts, without stated error rate.

A measurement outside the limits counts as a failure. Everything that isn't one finite number (NaN,
an empty answer, two series, a query that is refused) says nothing about the canary: it counts as an
error or as no data, never as a failure and never as a success. A provider that doesn't answer at
all is no measurement: the question stays open, and `judge` stands still meanwhile.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from datetime import datetime

from serinus.analysis.moments import from_ms
from serinus.analysis.samples import QueryFailure, QueryResult
from serinus.analysis.spec import AnalysisContext, ScalarRule
from serinus.api.verdicts import Verdict

_VERSION = "s1"
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
    """

    measured_at_ms: int | None = None
    measurements: int = 0
    failures: int = 0
    consecutive_errors: int = 0
    value: float | None = None
    last: Verdict | None = None
    problem: str = ""
    numbered_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A measurement that yielded no number, `verdict` being Error or NoData."""

    verdict: Verdict
    problem: str


def scalar_due_ms(
    rule: ScalarRule, state: ScalarState, *, started_ms: int, now_ms: int
) -> int | None:
    """When the next measurement is evaluated; None while it isn't due.

    Moments lie on a grid from `started_ms`, so a repeated pass asks for the same moment again;
    measurements that were missed are left out, not made up for.
    """
    interval = max(1, round(rule.interval.total_seconds() * 1000))
    if now_ms < started_ms:
        return None
    due = started_ms + (now_ms - started_ms) // interval * interval
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
    rule: ScalarRule, state: ScalarState, found: float | Unmeasured, *, due_ms: int
) -> ScalarState:
    """The state with one more measurement."""
    measured = replace(state, measured_at_ms=due_ms, measurements=state.measurements + 1)
    if isinstance(found, Unmeasured):
        errors = state.consecutive_errors + (found.verdict is Verdict.ERROR)
        return replace(
            measured, consecutive_errors=errors, last=found.verdict, problem=_short(found.problem)
        )
    within = is_within_limits(rule, found)
    return replace(
        measured,
        failures=state.failures + (not within),
        consecutive_errors=0,
        value=found,
        last=Verdict.SUCCESSFUL if within else Verdict.FAILED,
        problem="",
        numbered_at_ms=due_ms,
    )


def _short(problem: str) -> str:
    """At most 200 printable ASCII characters, which JSON doesn't make longer."""
    one_line = " ".join(problem.split())[:_PROBLEM_SHOWN].translate(_PLAIN)
    return "".join(one if " " <= one <= "~" else "?" for one in one_line)


def is_within_limits(rule: ScalarRule, value: float) -> bool:
    """Whether `value` is between the limits; the limits themselves are within."""
    above_minimum = rule.minimum is None or value >= rule.minimum
    return above_minimum and (rule.maximum is None or value <= rule.maximum)


def scalar_verdict(
    rule: ScalarRule, state: ScalarState, context: AnalysisContext, now: datetime
) -> Verdict:
    """The verdict on all measurements so far; success needs one of the present step."""
    if state.failures > rule.failure_limit:
        return Verdict.FAILED
    if state.consecutive_errors > rule.consecutive_error_limit:
        return Verdict.ERROR
    if state.last is Verdict.NO_DATA and _is_silent(state, context, now):
        return Verdict.NO_DATA
    within = state.last is Verdict.SUCCESSFUL and is_measured(state, context)
    return Verdict.SUCCESSFUL if within else Verdict.INCONCLUSIVE


def is_measured(state: ScalarState, context: AnalysisContext) -> bool:
    """Whether the last measurement was a number and belongs to the present step."""
    if state.last not in (Verdict.SUCCESSFUL, Verdict.FAILED) or state.numbered_at_ms is None:
        return False
    since = context.measured_since
    return since is None or from_ms(state.numbered_at_ms) >= since


def _is_silent(state: ScalarState, context: AnalysisContext, now: datetime) -> bool:
    known = state.numbered_at_ms
    last = context.started_at if known is None else from_ms(known)
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
        )
    except TypeError as error:
        raise ValueError("damaged analysis state") from error
