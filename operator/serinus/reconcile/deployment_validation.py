"""What a spec says that can't be done, beyond what the CRD refuses at apply: path, why, what to do.

A spec with such an error starts no rollout; what runs isn't touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic.alias_generators import to_camel

from serinus.analysis.promql import PLACEHOLDERS, placeholders
from serinus.analysis.spec import Boundary
from serinus.api.analysis import Analysis, AnalysisMetric
from serinus.api.deployment import DeploymentSpec
from serinus.api.enums import MetricTemplate
from serinus.api.feedback import Feedback
from serinus.api.prediction_log import PredictionLog
from serinus.api.quantities import duration_seconds, parse_decimal, parse_quantity
from serinus.api.schema_model import ApiModel
from serinus.api.server import RequestLimits
from serinus.api.strategy import (
    REPLICA_WEIGHT_MAX_PERCENT,
    SHADOW_OF_OWN_SERVER,
    SHADOW_PERCENT_OF_OUR_SERVER,
    Canary,
)
from serinus.manifests.naming import NAME_MAX_LENGTH
from serinus.manifests.pod import denied_entries
from serinus.manifests.workload import several_workers
from serinus.reconcile.deployment_rules import MEASURED, boundary, explicit_analysis
from serinus.reconcile.label_bounds import score_problems
from serinus.reconcile.server_counters import metric_problems
from serinus.rollout.promotion_window import is_time_zone
from serinus.rollout.weights import (
    actual_weight_percent,
    canary_replicas,
    first_above,
    replicas_for_exact_weight,
)

LATENCY_BOUNDS_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
)  # fmt: skip
COHORT_LENGTH_MAX_SECONDS = 3600
TIMEOUT_MIN_SECONDS, TIMEOUT_MAX_SECONDS = 0.01, 20
POST_PROMOTION_MAX_SECONDS = 30 * 24 * 3600
_METRIC_KINDS = ("template", "prometheus", "template_ref")


def spec_problem(name: str, spec: DeploymentSpec) -> str | None:
    """The first thing in the spec that can't be done, with its field; None when all can."""
    return next(_problems(name, spec), None)


def _problems(name: str, spec: DeploymentSpec) -> Iterator[str]:
    if len(name) > NAME_MAX_LENGTH:
        yield (
            f"metadata.name: `{name}` has {len(name)} characters; at most {NAME_MAX_LENGTH}, "
            "so that `<name>-<revision>` fits a label"
        )
    if not name[:1].isalpha():
        yield f"metadata.name: `{name}` must start with a letter, because its Service must"
    yield from _unknown_choices(spec)
    if spec.server:
        denied = denied_entries(spec.server.pod_template)
        if denied:
            yield (
                f"spec.server.podTemplate.metadata: `{denied[0]}` belongs to Serinus, Kubernetes "
                "or a delivery tool; remove it"
            )
        yield from _feedback_problems(spec.server.feedback)
        yield from _limits_problems(spec.server.limits)
        yield from _log_problems(spec.server.prediction_log)
    for index, window in enumerate((spec.strategy and spec.strategy.promotion_windows) or ()):
        if window.time_zone and not is_time_zone(window.time_zone):
            yield (
                f"spec.strategy.promotionWindows[{index}].timeZone: `{window.time_zone}` is no "
                "time zone that is known here; write it as `Europe/Amsterdam`"
            )
    yield from _canary_weight_problems(spec)
    yield from _shadow_problems(spec)
    yield from _ab_test_problems(spec)
    yield from _max_weight_problems(spec)
    yield from _post_promotion_problems(spec)
    yield from _first_deployment_problems(spec)
    if spec.analysis:
        yield from _analysis_problems(spec.analysis)
    if spec.server and spec.server.container:
        yield from metric_problems(spec.server, explicit_analysis(spec.analysis))
    elif spec.analysis:
        yield from _latency_problems(spec.analysis)
        yield from score_problems(spec)


def _unknown_choices(spec: DeploymentSpec) -> Iterator[str]:
    """Choices of which none is taken, as the CRD demands, that this operator knows.

    One that only a newer operator knows is left out when it is read, and it would look as if
    nothing had been chosen.
    """
    for path, model, members in _choices(spec):
        if all(getattr(model, member) is None for member in members):
            known = " nor ".join(f"`{_on_the_wire(model, member)}`" for member in members)
            neither = "neither " if len(members) > 1 else "not "
            yield f"{path}: {neither}{known}, and this operator knows nothing else there"


def _on_the_wire(model: ApiModel, member: str) -> str:
    return type(model).model_fields[member].alias or to_camel(member)


def _choices(spec: DeploymentSpec) -> Iterator[tuple[str, ApiModel, tuple[str, ...]]]:
    """Where exactly one of some members has to be set."""
    yield "spec.model", spec.model, ("version_ref", "channel")
    if spec.model.channel:
        yield "spec.model.channel", spec.model.channel, ("alias", "latest_approved")
    if spec.server:
        for index, variable in enumerate(spec.server.env):
            yield f"spec.server.env[{index}]", variable, ("value", "secret_key_ref")
        container = spec.server.container
        if container and container.metrics:
            path = "spec.server.container.metrics"
            yield path, container.metrics, ("profile", "custom")
    if spec.traffic:
        yield "spec.traffic", spec.traffic, ("replicas", "gateway_api")
    if spec.strategy:
        yield "spec.strategy", spec.strategy, ("canary", "blue_green", "ab_test")
        if spec.strategy.ab_test:
            yield "spec.strategy.abTest.unit", spec.strategy.ab_test.unit, ("header", "cookie")
        canary = spec.strategy.canary
        if canary:
            yield "spec.strategy.canary", canary, ("steps", "step_weights")
            for index, step in enumerate(canary.steps or ()):
                path = f"spec.strategy.canary.steps[{index}]"
                yield path, step, ("set_weight", "pause", "analyze", "shadow")
    for index, metric in enumerate(spec.analysis.metrics if spec.analysis else ()):
        yield f"spec.analysis.metrics[{index}]", metric, _METRIC_KINDS


def _canary_weight_problems(spec: DeploymentSpec) -> Iterator[str]:
    """The CRD refuses this at apply, unless it is of another version than the operator."""
    canary = spec.strategy.canary if spec.strategy else None
    if canary is None or (spec.traffic and spec.traffic.gateway_api):
        return
    weights = _weights(canary)
    if max(weights, default=0) > REPLICA_WEIGHT_MAX_PERCENT:
        yield (
            f"spec.strategy.canary: a weight of {max(weights)} is above "
            f"{REPLICA_WEIGHT_MAX_PERCENT} and needs `spec.traffic.gatewayAPI`"
        )


def _weights(canary: Canary) -> list[int]:
    """Of all steps, 0 for one that sets none."""
    return [step.set_weight or 0 for step in canary.steps or ()] + (canary.step_weights or [])


def _shadow_problems(spec: DeploymentSpec) -> Iterator[str]:
    """As with weights: refused at apply by a CRD of this operator's version."""
    canary = spec.strategy.canary if spec.strategy else None
    for index, step in enumerate((canary.steps if canary else None) or ()):
        if step.shadow is None:
            continue
        path = f"spec.strategy.canary.steps[{index}].shadow"
        of_own_server = spec.server is not None and spec.server.container is not None
        if of_own_server and not (spec.traffic and spec.traffic.gateway_api):
            yield f"{path}: {SHADOW_OF_OWN_SERVER}"
        if step.shadow.percent is not None and not of_own_server:
            yield f"{path}.percent: {SHADOW_PERCENT_OF_OUR_SERVER}"
        if index:
            yield f"{path}: only the first step may be a shadow"


def _ab_test_problems(spec: DeploymentSpec) -> Iterator[str]:
    """As with weights: refused at apply by a CRD of this operator's version."""
    test = spec.strategy.ab_test if spec.strategy else None
    if test is None:
        return
    if spec.server and spec.server.container:
        yield (
            "spec.strategy.abTest: units are assigned by the pods of Serinus' server; with "
            "`server.container` release by `canary` or `blueGreen`"
        )
    if spec.server and several_workers(spec.server):
        yield (
            "spec.strategy.abTest: units are counted in pods of one process; with "
            "`server.workers` release by `canary` or `blueGreen`"
        )
    if test.layer and test.layer.from_percent >= test.layer.to_percent:
        yield "spec.strategy.abTest.layer: `fromPercent` must be below `toPercent`"


def _max_weight_problems(spec: DeploymentSpec) -> Iterator[str]:
    """Beside few pods even one of the canary may get more; a gateway gives each weight exactly."""
    canary = spec.strategy.canary if spec.strategy else None
    if canary is None or canary.max_weight is None:
        return
    weights = _weights(canary)
    path, limit = "spec.strategy.canary.maxWeight", canary.max_weight
    if max(weights, default=0) > limit:
        yield f"{path}: a weight of {max(weights)} is above {limit}"
        return
    if spec.traffic and spec.traffic.gateway_api:
        return
    above = first_above(limit, weights, _possible_replicas(spec))
    if above is not None:
        pods, weight = above
        given = actual_weight_percent(pods, canary_replicas(pods, weight))
        beside = "1 pod" if pods == 1 else f"{pods} pods"
        yield (
            f"{path}: beside {beside} of stable, whole pods give {given} % for a weight of "
            f"{weight}, which is above {limit}. {replicas_for_exact_weight(weight)} pods give it "
            "exactly, and so does `spec.traffic.gatewayAPI`"
        )


def _possible_replicas(spec: DeploymentSpec) -> Iterable[int]:
    if spec.autoscaling is not None:
        return range(spec.autoscaling.min_replicas or 1, spec.autoscaling.max_replicas + 1)
    return (1 if spec.replicas is None else spec.replicas,)


def _post_promotion_problems(spec: DeploymentSpec) -> Iterator[str]:
    after = spec.strategy.post_promotion_analysis if spec.strategy else None
    if after is None:
        return
    path = "spec.strategy.postPromotionAnalysis"
    if not 0 < duration_seconds(after.duration) <= POST_PROMOTION_MAX_SECONDS:
        yield f"{path}.duration: `{after.duration}` isn't above 0s and at most 30d"
    if not explicit_analysis(spec.analysis).metrics:
        yield f"{path}: needs `spec.analysis.metrics`; without any, nothing could be judged"


def _first_deployment_problems(spec: DeploymentSpec) -> Iterator[str]:
    first = spec.strategy.first_deployment if spec.strategy else None
    if first and duration_seconds(first.duration) > POST_PROMOTION_MAX_SECONDS:
        path = "spec.strategy.firstDeployment.duration"
        yield f"{path}: `{first.duration}` isn't at most 30d"


def _feedback_problems(feedback: Feedback | None) -> Iterator[str]:
    length = feedback.cohort_length if feedback else None
    if length and not 1 <= duration_seconds(length) <= COHORT_LENGTH_MAX_SECONDS:
        yield f"spec.server.feedback.cohortLength: `{length}` isn't between 1s and 1h"
    if length and duration_seconds(length) % 1:
        yield f"spec.server.feedback.cohortLength: `{length}` isn't in whole seconds"


def _limits_problems(limits: RequestLimits | None) -> Iterator[str]:
    timeout = limits.timeout if limits else None
    if timeout and not TIMEOUT_MIN_SECONDS <= duration_seconds(timeout) <= TIMEOUT_MAX_SECONDS:
        yield f"spec.server.limits.timeout: `{timeout}` isn't between 10ms and 20s"


def _log_problems(log: PredictionLog | None) -> Iterator[str]:
    retention = log.retention if log else None
    path = "spec.server.predictionLog.retention"
    if retention and retention.max_age and duration_seconds(retention.max_age) <= 0:
        yield f"{path}.maxAge: must be above 0s; `samplePercent: 0` logs nothing"
    if retention and retention.max_size and parse_quantity(retention.max_size) < 1:
        yield f"{path}.maxSize: must be above 0; `samplePercent: 0` logs nothing"


def _analysis_problems(analysis: Analysis) -> Iterator[str]:
    for field, text in (
        ("falseRollbackRate", analysis.false_rollback_rate),
        ("falsePromotionRate", analysis.false_promotion_rate),
    ):
        if text is not None and not 0 < parse_decimal(text) < 1:
            yield f'spec.analysis.{field}: "{text}" isn\'t between 0 and 1, both excluded'
    inflation = analysis.variance_inflation
    if inflation not in (None, MEASURED) and parse_decimal(inflation or "") < 1:
        yield f'spec.analysis.varianceInflation: "{inflation}" is below 1'
    if analysis.scrape_interval and duration_seconds(analysis.scrape_interval) <= 0:
        yield "spec.analysis.scrapeInterval: must be above 0s"
    yield from _weight_problems(analysis)
    for index, metric in enumerate(explicit_analysis(analysis).metrics):
        for problem in _metric_problems(metric):
            yield f"spec.analysis.metrics[{index}]{problem} (metric `{metric.name}`)"


def _weight_problems(analysis: Analysis) -> Iterator[str]:
    gates = [one for one in analysis.metrics if one.gate is not False and not one.dry_run]
    weights = [parse_decimal(metric.weight) for metric in gates if metric.weight]
    total = sum(weights)
    if total > 1 + 1e-9:
        yield f"spec.analysis.metrics: the weights sum to {total:g}, which is above 1"
    if weights and total == 0:
        yield "spec.analysis.metrics: all weights are 0, so nothing could ever roll back"


def _metric_problems(metric: AnalysisMetric) -> Iterator[str]:
    if metric.template is None:
        yield from _scalar_problems(metric)
        return
    if metric.max is not None and not 0 < parse_decimal(metric.max) < 1:
        yield f'.max: "{metric.max}" is no share of requests between 0 and 1, both excluded'
    if metric.compare_to and metric.tolerance and metric.non_inferiority_margin:
        tolerance = boundary(metric.tolerance)
        margin = boundary(metric.non_inferiority_margin)
        yield from _line_problems("tolerance", tolerance)
        yield from _line_problems("nonInferiorityMargin", margin)
        if margin.ratio < tolerance.ratio or margin.increase < tolerance.increase:
            yield (
                f".nonInferiorityMargin: {_shown(margin)} is narrower than the tolerance "
                f"{_shown(tolerance)}; a version could be harmless and never be shown to be safe"
            )


def _latency_problems(analysis: Analysis) -> Iterator[str]:
    """Bounds that our server's histogram doesn't have; of other servers nobody knows them here."""
    for index, metric in enumerate(analysis.metrics):
        if metric.template is MetricTemplate.SLOW_REQUESTS:
            for problem in _bound_problems(metric):
                yield f"spec.analysis.metrics[{index}]{problem} (metric `{metric.name}`)"


def _bound_problems(metric: AnalysisMetric) -> Iterator[str]:
    seconds = duration_seconds(metric.latency or "0s")
    if not any(abs(seconds - bound) < 1e-9 for bound in LATENCY_BOUNDS_SECONDS):
        below = [bound for bound in LATENCY_BOUNDS_SECONDS if bound < seconds][-1:]
        above = [bound for bound in LATENCY_BOUNDS_SECONDS if bound > seconds][:1]
        shown = " or ".join(f"`{bound * 1000:g}ms`" for bound in below + above)
        yield f".latency: `{metric.latency}` is no bucket bound of the histogram; use {shown}"


def _line_problems(field: str, line: Boundary) -> Iterator[str]:
    if line.ratio < 0 or line.increase < 0:
        yield f".{field}: {_shown(line)}: neither may be negative"
    elif line.ratio == 0 and line.increase == 0:
        yield f".{field}: ratio 0 plus 0 allows nothing; use `max` for a fixed limit"


def _shown(line: Boundary) -> str:
    return f"ratio {line.ratio:g} plus {line.increase:g}"


def _scalar_problems(metric: AnalysisMetric) -> Iterator[str]:
    if metric.min is not None and metric.max is not None:
        low, high = parse_decimal(metric.min), parse_decimal(metric.max)
        if low > high:
            yield f'.min: "{metric.min}" is above max "{metric.max}"; no value is within'
    yield from _success_problems(metric)
    if metric.interval and duration_seconds(metric.interval) <= 0:
        yield ".interval: must be above 0s"
    query = metric.prometheus.query if metric.prometheus else ""
    for placeholder in sorted(placeholders(query) - {*PLACEHOLDERS}):
        known = ", ".join(f"`{{{{ .{one} }}}}`" for one in PLACEHOLDERS)
        yield f".prometheus.query: unknown placeholder `{placeholder}`; known are {known}"


def _success_problems(metric: AnalysisMetric) -> Iterator[str]:
    """The band of success lies within the limits, and some value is in it."""
    low, high = metric.success_min or metric.min, metric.success_max or metric.max
    if (
        metric.success_min
        and metric.min
        and parse_decimal(metric.success_min) < parse_decimal(metric.min)
    ):
        yield f'.successMin: "{metric.success_min}" is below min "{metric.min}"'
    if (
        metric.success_max
        and metric.max
        and parse_decimal(metric.success_max) > parse_decimal(metric.max)
    ):
        yield f'.successMax: "{metric.success_max}" is above max "{metric.max}"'
    if not (metric.success_min or metric.success_max) or low is None or high is None:
        return
    if parse_decimal(low) > parse_decimal(high):
        yield f'.successMin: success would be from "{low}" to "{high}"; no value is within'
