"""A metric that refers to the library becomes one with a query of its own.

It is done before anything is frozen, so that a rollout goes by the text that stood in the library
when it began, whatever becomes of the ConfigMap. A template of the Deployment's namespace comes
before one of the same name that the operator shares: the namespace's owner may adapt one, and a
name that a newer chart adds changes nothing for those who have it. Two in one namespace have no
order, so neither counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from serinus.analysis.promql import PLACEHOLDERS, placeholders, with_values
from serinus.api.analysis import (
    QUERIES_MAX_LENGTH,
    QUERY_MAX_LENGTH,
    Analysis,
    AnalysisMetric,
    MetricTemplateRef,
    PrometheusQuery,
)
from serinus.api.metric_template import MetricTemplateText, ParameterType
from serinus.api.quantities import parse_quantity
from serinus.reconcile.snapshot import TemplateMap, TemplatesSeen

TEXT_MAX_LENGTH = 16_384
OF_THE_POD = ("podCpuCores", "podMemoryGib")
"""Placeholders for what the scheduler sets aside for a pod of the revision that is released."""
_OF_THE_TEMPLATE = ("min", "max", "success_min", "success_max", "interval", "initial_delay")
_WRITTEN_AS = {
    ParameterType.DECIMAL: re.compile(r"[-+]?[0-9]+(\.[0-9]+)?"),
    ParameterType.DURATION: re.compile(r"([0-9]+(ms|s|m|h|d))+"),
    ParameterType.TEXT: re.compile(r"(?!.*\{\{)[ -~]*"),
}
_GIB = 2**30
_SHOWN_NAMES = 12


class _Unusable(Exception):
    """Why a reference can't be followed; it never leaves this module."""


@dataclass(frozen=True, slots=True)
class Templated:
    """An analysis with what came of its references.

    Attributes
    ----------
    problem
        Why the first of them can't be followed; None when all could, or when the library wasn't
        looked at because a rollout runs.
    """

    analysis: Analysis | None
    problem: str | None = None


def templated(
    analysis: Analysis | None, seen: TemplatesSeen | None, pod_template: Mapping[str, Any] | None
) -> Templated:
    """The analysis in which each reference stands for the query that it leads to.

    `pod_template` is the one of the revision that is asked for; None where nobody knows it.
    """
    if analysis is None or seen is None:
        return Templated(analysis)
    metrics, problem = [], None
    for index, metric in enumerate(analysis.metrics):
        try:
            metrics.append(_followed(metric, seen, pod_template))
        except _Unusable as error:
            where = f"spec.analysis.metrics[{index}].templateRef (metric `{metric.name}`)"
            problem = problem or f"{where}: {error}"
            metrics.append(metric)
    length = sum(len(one.prometheus.query) for one in metrics if one.prometheus)
    if problem is None and length > QUERIES_MAX_LENGTH:
        problem = (
            f"spec.analysis.metrics: the queries, with those of the library, have {length} "
            f"characters together; at most {QUERIES_MAX_LENGTH}, because status keeps them"
        )
    return Templated(analysis.model_copy(update={"metrics": metrics}), problem)


def refers_to_library(analysis: Analysis | None) -> bool:
    """Whether a metric of it still has to be looked up."""
    metrics = analysis.metrics if analysis else ()
    return any(one.template_ref is not None and one.prometheus is None for one in metrics)


def _followed(
    metric: AnalysisMetric, seen: TemplatesSeen, pod_template: Mapping[str, Any] | None
) -> AnalysisMetric:
    reference = metric.template_ref
    if reference is None:
        return metric
    source = _source(reference.name, seen)
    where = f"template `{reference.name}` of ConfigMap `{source.namespace}/{source.name}`"
    template = _read(source.texts[reference.name], where)
    values = {**_pod_values(template, pod_template, where), **_given(reference, template, where)}
    query = with_values(template.query, values)
    if unknown := sorted(placeholders(query) - {*PLACEHOLDERS}):
        known = ", ".join((*PLACEHOLDERS, *OF_THE_POD))
        raise _Unusable(
            f"{where}: `{{{{ .{unknown[0]} }}}}` is none of its parameters, and none of {known}"
        )
    if len(query) > QUERY_MAX_LENGTH:
        raise _Unusable(
            f"{where}: the query has {len(query)} characters with its parameters; at most "
            f"{QUERY_MAX_LENGTH}"
        )
    limits = {name: getattr(metric, name) or getattr(template, name) for name in _OF_THE_TEMPLATE}
    if limits["min"] is None and limits["max"] is None:
        raise _Unusable(f"{where} has no limit of its own; give the metric `min`, `max`, or both")
    found = PrometheusQuery(query=query, description=template.description.strip())
    return metric.model_copy(update={"prometheus": found, **limits})


def _source(name: str, seen: TemplatesSeen) -> TemplateMap:
    """The ConfigMap in which the template stands."""
    if seen.problem is not None:
        raise _Unusable(seen.problem)
    for maps in (seen.own, seen.shared):
        holders = [one for one in maps if name in one.texts]
        if len(holders) > 1:
            both = " and ".join(f"`{one.namespace}/{one.name}`" for one in holders[:2])
            raise _Unusable(f"ConfigMaps {both} both have a template `{name}`; rename one")
        if holders:
            return holders[0]
    known = sorted({key for one in (*seen.own, *seen.shared) for key in one.texts})
    shown = ", ".join(known[:_SHOWN_NAMES]) or "none"
    raise _Unusable(f"there is no template `{name}`; known are: {shown}")


def _read(text: str, where: str) -> MetricTemplateText:
    if len(text) > TEXT_MAX_LENGTH:
        raise _Unusable(f"{where} has {len(text)} characters; at most {TEXT_MAX_LENGTH}")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise _Unusable(f"{where}: YAML aliases aren't read; write the value out")
        return MetricTemplateText.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise _Unusable(f"{where} is no YAML: {' '.join(str(error).split())[:300]}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"]) or "the text"
        raise _Unusable(f"{where}: {path}: {first['msg']}") from error


def _given(
    reference: MetricTemplateRef, template: MetricTemplateText, where: str
) -> dict[str, str]:
    """The value of each parameter, as it may stand in the query."""
    parameters = {one.name: one for one in template.parameters}
    if taken := sorted(parameters.keys() & {*PLACEHOLDERS, *OF_THE_POD}):
        raise _Unusable(f"{where}: the name of parameter `{taken[0]}` is taken; choose another")
    if unknown := sorted(reference.parameters.keys() - parameters.keys()):
        known = ", ".join(sorted(parameters)) or "none"
        raise _Unusable(f"{where} has no parameter `{unknown[0]}`; known are: {known}")
    values = {}
    for name, parameter in parameters.items():
        value = reference.parameters.get(name, parameter.default)
        if value is None:
            raise _Unusable(f"{where} needs the parameter `{name}` ({parameter.type.value})")
        if not _WRITTEN_AS[parameter.type].fullmatch(value):
            raise _Unusable(
                f"{where}: parameter `{name}`: `{value[:80]}` is no {parameter.type.value}"
            )
        values[name] = value
    return values


def _pod_values(
    template: MetricTemplateText, pod_template: Mapping[str, Any] | None, where: str
) -> dict[str, str]:
    """What of the pod the query asks for."""
    asked = placeholders(template.query) & {*OF_THE_POD}
    if not asked or pod_template is None:
        return dict.fromkeys(asked, "0")  # no revision is asked for, so none begins by these
    cores, byte_count = (_set_aside(pod_template, one) for one in ("cpu", "memory"))
    if cores == 0 or byte_count == 0:
        raise _Unusable(
            f"{where} needs to know what a pod takes; set `cpu` and `memory` in "
            "spec.server.resources.requests"
        )
    return {"podCpuCores": f"{cores:.6g}", "podMemoryGib": f"{byte_count / _GIB:.6g}"}


def _set_aside(pod_template: Mapping[str, Any], resource: str) -> float:
    """Requests of all containers; where only a limit is given, Kubernetes takes that."""
    return sum(_requested(pod_template.get("spec", {}).get("containers", ()), resource))


def _requested(containers: Sequence[Mapping[str, Any]], resource: str) -> Iterator[float]:
    for container in containers:
        resources = container.get("resources") or {}
        for kind in ("requests", "limits"):
            quantity = (resources.get(kind) or {}).get(resource)
            if quantity is not None:
                yield float(parse_quantity(str(quantity)))
                break
