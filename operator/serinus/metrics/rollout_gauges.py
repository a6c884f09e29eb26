"""How each rollout does, for Prometheus: read from the status when scraped.

Read as it is stored, without parsing: a scrape must cost next to nothing, however many Deployments
there are and however long their histories.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serinus.metrics.exposition import GaugeFamily, LabelledValue
from serinus.reconcile.decision import JsonObject
from serinus.reconcile.json_values import objects_at, text_at, value_at


def rollout_gauges(deployments: Iterable[JsonObject]) -> tuple[GaugeFamily, ...]:
    """Gauges of the rollouts that run; a value that can't be read isn't there."""
    found = [body for body in deployments if value_at(body, "status", "canary") is not None]
    return (
        GaugeFamily(
            "serinus_rollout_canary_weight_ratio",
            "Share of requests that the canary gets, while there is one.",
            ("namespace", "name"),
            [value for body in found for value in _weight(body)],
        ),
        GaugeFamily(
            "serinus_analysis_evidence_ratio",
            "Evidence that the canary does harm; from 1 on it is rolled back.",
            ("namespace", "name", "metric"),
            [value for body in found for value in _evidence(body)],
        ),
    )


def _weight(body: JsonObject) -> Iterator[LabelledValue]:
    percent = value_at(body, "status", "canary", "actualWeight")
    if isinstance(percent, int):
        yield LabelledValue(_name(body), percent / 100)


def _evidence(body: JsonObject) -> Iterator[LabelledValue]:
    for item in objects_at(body, "status", "analysis"):
        metric, evidence = text_at(item, "metric"), _number(text_at(item, "evidence"))
        if metric is not None and evidence is not None:
            yield LabelledValue((*_name(body), metric), evidence)


def _name(body: JsonObject) -> tuple[str, str]:
    metadata = body["metadata"]
    return metadata["namespace"], metadata["name"]


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
