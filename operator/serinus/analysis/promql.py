"""Named templates to query text, and what each series that comes back counts as.

No other module puts PromQL together. Evidence is read as a raw range vector: `increase()` and
`rate()` extrapolate, lose the first event of a new series and give no integers, so the exact
increments are taken from the samples themselves (`counters`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serinus.analysis.foreign_counters import counted, identity, names_of
from serinus.analysis.samples import Contradiction
from serinus.analysis.spec import LABEL_TEMPLATES, AnalysisContext, RateRule, ScalarRule
from serinus.api.enums import MetricTemplate

REQUESTS = "serinus_requests_total"
DURATION_BUCKET = "serinus_request_duration_seconds_bucket"
DURATION_COUNT = "serinus_request_duration_seconds_count"
LABELS = "serinus_labels_total"
LABEL_LOSS = "serinus_label_loss_total"
LABELS_OF_TWO = "serinus_labels_of_two_total"
PREDICTIONS = "serinus_predictions_total"
EXPOSURES = "serinus_exposures_total"
OUT_OF_RANGE = "serinus_predictions_out_of_range_total"

_ACTUAL = {
    MetricTemplate.FALSE_NEGATIVES: "positive",
    MetricTemplate.FALSE_POSITIVES: "negative",
}
_IDENTITY = (
    "__name__", "revision", "code", "outcome", "cohort", "score", "bound", "quantile", "beyond",
    "exposed",
)  # fmt: skip
_SUMMED_BY = ("pod", "outcome", "score", "actual")
_BAD_CODE = re.compile(r"5..|400")
_PLACEHOLDER = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")
PLACEHOLDERS = ("deployment", "namespace", "revision", "stableRevision")
"""What is filled into a scalar's query with each measurement."""


class UnknownPlaceholderError(ValueError):
    """A scalar's query names a placeholder that doesn't exist."""


@dataclass(frozen=True, slots=True)
class Role:
    """What one series adds to a rate.

    Attributes
    ----------
    bad, total
        Signs with which its increments are added: a bucket of good requests has bad = -1.
    whole
        Its values have to be integers.
    companion
        It is what another series needs.
    needs
        What it contradicts to count although its pod has no companion series: bad events would
        be invisible.
    by_cohort
        It counts labels of one cohort, so it may vanish and start over while the pod goes on.
    """

    bad: int
    total: int
    whole: bool = True
    companion: bool = False
    needs: Contradiction | None = None
    by_cohort: bool = False


# Requests are fetched with the labels although they aren't counted: they show that a pod was
# scraped, and that a label's counter that is new began at 0.
_HEARTBEAT = Role(bad=0, total=0)


def rate_query(
    rule: RateRule, context: AnalysisContext, *, range_ms: int, cohorts: Sequence[int] | None = None
) -> str:
    """The series of both revisions that `rule` counts, `range_ms` milliseconds back.

    Of labels only those of these cohorts, where they are known: a pod exports dozens of older ones.

    A series says itself of which revision it speaks; the target's label `pod` says who exported
    it. What another pod exports is no evidence. Servers that aren't ours don't know of revisions:
    there the pod alone says it.
    """
    if rule.counters:
        return _of_foreign_servers(rule, context, range_ms=range_ms)
    revisions = [context.canary_revision]
    if context.stable_revision is not None:
        revisions.append(context.stable_revision)
    where = _pods_of(context, f'revision=~"{_alternatives(revisions)}"')
    if context.exposed_only:
        where.append('exposed="true"')
    if cohorts is not None and rule.template in LABEL_TEMPLATES:
        where.append(_one_of_or_absent("cohort", [str(cohort) for cohort in cohorts]))
    return "{" + ",".join(_series_of(rule) + where) + f"}}[{range_ms}ms]"


def labels_before_query(
    rule: RateRule, context: AnalysisContext, *, slices: int, slice_ms: int
) -> str:
    """How many labels each of stable's pods counted in each slice, of all cohorts together.

    A cohort that wasn't there a slice ago began at 0, if its pod was there: else Prometheus had not
    scraped it, and nobody knows when it counted. A counter that starts over counts nothing.
    """
    where = _pods_of(context, f'revision="{_escaped(context.stable_revision or "")}"')
    names = [name for name in _names_of(rule) if name != REQUESTS]
    now = "{" + ",".join([_named(*names), *_matchers_of(rule), *where]) + "}"
    pods_before = "{" + ",".join([_named(REQUESTS), *where]) + f"}} offset {slice_ms}ms"
    before = f"({now} offset {slice_ms}ms or {now} * 0 and on (pod) {pods_before})"
    counted = f"sum by ({','.join(_SUMMED_BY)}) (clamp_min({now} - {before}, 0))"
    return f"{counted}[{slices * slice_ms}ms:{slice_ms}ms]"


def exposures_query(namespace: str, deployment: str, test: str, *, range_ms: int) -> str:
    """Units that each pod has given to each arm of an A/B test, also by pods that are gone."""
    where = ",".join(
        f'{label}="{_escaped(value)}"'
        for label, value in (
            ("__name__", EXPOSURES),
            ("namespace", namespace),
            ("deployment", deployment),
            ("test", test),
        )
    )
    return f"max_over_time({{{where}}}[{range_ms}ms])"


def _of_foreign_servers(rule: RateRule, context: AnalysisContext, *, range_ms: int) -> str:
    matchers = [
        _named(*names_of(rule.counters, rule.template)),
        f'namespace="{_escaped(context.namespace)}"',
        f'pod=~"({_alternatives(context.workloads)})-.+"',
    ]
    if rule.template is MetricTemplate.SLOW_REQUESTS:
        bounds = bound_spellings(rule.latency_seconds or 0.0)
        matchers.append(_one_of_or_absent("le", bounds))
    return "{" + ",".join(matchers) + f"}}[{range_ms}ms]"


def _pods_of(context: AnalysisContext, revision: str) -> list[str]:
    """The matchers of the rollout's pods, and of the revision of which their series speak."""
    return [
        f'namespace="{_escaped(context.namespace)}"',
        f'deployment="{_escaped(context.deployment)}"',
        revision,
        f'pod=~"({_alternatives(context.workloads)})-.+"',
    ]


def _series_of(rule: RateRule) -> list[str]:
    return [_named(*_names_of(rule)), *_matchers_of(rule)]


def _names_of(rule: RateRule) -> tuple[str, ...]:
    match rule.template:
        case MetricTemplate.ERROR_RATE:
            return (REQUESTS,)
        case MetricTemplate.SLOW_REQUESTS:
            return (DURATION_BUCKET, DURATION_COUNT)
        case MetricTemplate.WRONG_PREDICTIONS:
            return (LABELS, REQUESTS)
        case MetricTemplate.PREDICTION_LOSS:
            return (LABELS, LABEL_LOSS, REQUESTS)
        case MetricTemplate.FALSE_NEGATIVES | MetricTemplate.FALSE_POSITIVES:
            return (LABELS_OF_TWO, REQUESTS)
        case MetricTemplate.OUT_OF_RANGE:
            return (PREDICTIONS, OUT_OF_RANGE)


def _matchers_of(rule: RateRule) -> list[str]:
    match rule.template:
        case MetricTemplate.SLOW_REQUESTS:
            return [_one_of_or_absent("le", bound_spellings(rule.latency_seconds or 0.0))]
        case MetricTemplate.WRONG_PREDICTIONS:
            return [
                _one_of_or_absent("outcome", ("right", "wrong")),
                *_judged_by("beyond", rule.bound),
            ]
        case MetricTemplate.PREDICTION_LOSS:
            return [
                _one_of_or_absent("outcome", ("right", "wrong")),
                _one_of_or_absent("score", (rule.score or "",)),
                *_judged_by("bound", rule.bound),
                *_judged_by("quantile", rule.quantile),
            ]
        case MetricTemplate.FALSE_NEGATIVES | MetricTemplate.FALSE_POSITIVES:
            return [_one_of_or_absent("actual", (_ACTUAL[rule.template],))]
        case MetricTemplate.ERROR_RATE | MetricTemplate.OUT_OF_RANGE:
            return []


def _judged_by(label: str, text: str) -> list[str]:
    """Labels that were judged by another bound, or for another quantile, are another unit."""
    return [_one_of_or_absent(label, (text,))] if text else []


def scalar_query(rule: ScalarRule, context: AnalysisContext) -> str:
    """The user's expression with its placeholders filled in.

    Raises
    ------
    UnknownPlaceholderError
        If it has one that doesn't exist.
    """
    values = {
        "namespace": context.namespace,
        "deployment": context.deployment,
        "revision": context.canary_revision,
        "stableRevision": context.stable_revision or "",
    }
    unknown = sorted(placeholders(rule.query) - values.keys())
    if unknown:
        known = ", ".join(f"`{{{{ .{name} }}}}`" for name in values)
        raise UnknownPlaceholderError(
            f"`query` has the unknown placeholder `{{{{ .{unknown[0]} }}}}`; known are {known}"
        )
    return with_values(rule.query, values)


def placeholders(query: str) -> frozenset[str]:
    """Names of all placeholders in a query."""
    return frozenset(_PLACEHOLDER.findall(query))


def with_values(query: str, values: Mapping[str, str]) -> str:
    """The query with these placeholders filled in; others stay for whoever knows them."""
    return _PLACEHOLDER.sub(
        lambda found: _escaped(values[found[1]]) if found[1] in values else found[0], query
    )


def series_role(rule: RateRule, labels: Mapping[str, str]) -> Role | None:
    """What a series of `rate_query` counts as; None when it counts as nothing."""
    if rule.counters:
        return _foreign_role(rule, labels)
    name = labels.get("__name__", "")
    match rule.template:
        case MetricTemplate.ERROR_RATE if name == REQUESTS:
            return Role(bad=int(bool(_BAD_CODE.fullmatch(labels.get("code", "")))), total=1)
        case MetricTemplate.SLOW_REQUESTS if name == DURATION_COUNT:
            return Role(bad=1, total=1, needs=Contradiction.NO_BUCKET)
        case MetricTemplate.SLOW_REQUESTS if name == DURATION_BUCKET:
            return Role(bad=-1, total=0, companion=True)
        case MetricTemplate.WRONG_PREDICTIONS if name == LABELS:
            return Role(bad=int(labels.get("outcome") == "wrong"), total=1, by_cohort=True)
        case MetricTemplate.PREDICTION_LOSS if name == LABELS:
            return Role(bad=0, total=1, needs=Contradiction.NO_LOSS, by_cohort=True)
        case MetricTemplate.PREDICTION_LOSS if name == LABEL_LOSS:
            return Role(bad=1, total=0, whole=False, companion=True, by_cohort=True)
        case MetricTemplate.FALSE_NEGATIVES | MetricTemplate.FALSE_POSITIVES if (
            name == LABELS_OF_TWO
        ):
            return Role(bad=int(labels.get("outcome") == "wrong"), total=1, by_cohort=True)
        case MetricTemplate.OUT_OF_RANGE if name == PREDICTIONS:
            return Role(bad=0, total=1, needs=Contradiction.NO_RANGES)
        case MetricTemplate.OUT_OF_RANGE if name == OUT_OF_RANGE:
            return Role(bad=1, total=0, companion=True)
        case _ if name == REQUESTS:
            return _HEARTBEAT
    return None


def summed_role(rule: RateRule, labels: Mapping[str, str]) -> Role | None:
    """What a series of `labels_before_query` counts as; a sum has no name, so its labels tell."""
    two = LABELS_OF_TWO if labels.get("actual") else LABELS
    name = LABEL_LOSS if labels.get("score") else two
    return series_role(rule, {**labels, "__name__": name})


def _foreign_role(rule: RateRule, labels: Mapping[str, str]) -> Role | None:
    found = counted(rule.counters, rule.template, labels)
    if found is None:
        return None
    needs = Contradiction.NO_BUCKET if found.histogram and not found.bucket else None
    return Role(bad=found.bad, total=found.total, companion=found.bucket, needs=needs)


def series_identity(rule: RateRule, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What tells two series of one pod apart; two with the same identity are duplicates.

    Labels that the scrape adds (instance, job, replica of Prometheus) are no part of it, nor is
    the bound of a bucket: only one bound was asked for.
    """
    if rule.counters:
        return identity(labels)
    return tuple(labels.get(label, "") for label in _IDENTITY)


def bound_spellings(bound_seconds: float) -> tuple[str, ...]:
    """How clients and Prometheus versions write one bucket bound: `1` and `1.0`."""
    return tuple(dict.fromkeys((format(bound_seconds, ".12g"), repr(float(bound_seconds)))))


def _named(*names: str) -> str:
    return f'__name__=~"{"|".join(names)}"'


def _one_of_or_absent(label: str, values: Sequence[str]) -> str:
    return f'{label}=~"|{_alternatives(values)}"'


def _alternatives(values: Sequence[str]) -> str:
    return _escaped("|".join(re.escape(value) for value in values))


def _escaped(value: str) -> str:
    """`value` for the inside of a double-quoted PromQL string."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
