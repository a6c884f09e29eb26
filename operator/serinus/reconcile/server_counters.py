"""What the servers of a rollout count, and which metrics can't be had of them."""

from __future__ import annotations

from collections.abc import Iterator

from serinus.analysis.server_profiles import OWN, PROFILES, tells
from serinus.api.analysis import Analysis
from serinus.api.counters import Counters
from serinus.api.enums import MetricTemplate
from serinus.api.server import Server

_UNKNOWN = Counters()


def counters_of_rollout(canary: Server | None, stable: Server | None) -> tuple[Counters, ...]:
    """The counters of both servers, each kind once; none where both are Serinus'."""
    if all(one is None or one.container is None for one in (canary, stable)):
        return ()
    found: list[Counters] = []
    for server in (canary, stable):
        if (counters := _counters(server)) not in found:
            found.append(counters)
    return tuple(found)


def metric_problems(server: Server | None, analysis: Analysis) -> Iterator[str]:
    """Metrics that a server of one's own can't give, with what it can; `analysis` is explicit."""
    if server is None or server.container is None:
        return
    counters = _counters(server)
    given = [f"`{one.value}`" for one in MetricTemplate if tells(counters, one)]
    can = f"gives {' and '.join(given)}" if given else "gives none of the templates"
    for index, metric in enumerate(analysis.metrics):
        if metric.template is not None and not tells(counters, metric.template):
            yield (
                f"spec.analysis.metrics[{index}].template: `{metric.template.value}` can't be had "
                f"of this server, which by spec.server.container.metrics {can}; take another "
                f"metric, a query of your own, or none (metric `{metric.name}`)"
            )


def _counters(server: Server | None) -> Counters:
    if server is None or server.container is None:
        return OWN
    metrics = server.container.metrics
    if metrics is None:
        return _UNKNOWN
    if metrics.profile is not None:
        return PROFILES[metrics.profile]
    return metrics.custom or _UNKNOWN
