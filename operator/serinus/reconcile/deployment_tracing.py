"""Where a Deployment's spans may go."""

from __future__ import annotations

from collections.abc import Iterable

from serinus.api.deployment import DeploymentSpec


def collector_problem(spec: DeploymentSpec, declared: Iterable[str]) -> str | None:
    """Why the collector of the spec can't be used; None where it can, or none is asked for.

    `declared` are the names of those that are there for its namespace.
    """
    tracing = spec.server.tracing if spec.server else None
    names = sorted(declared)
    if tracing is None or tracing.collector in names:
        return None
    known = f"there are: {', '.join(f'`{one}`' for one in names)}" if names else "there is none"
    return (
        f"spec.server.tracing.collector: no collector `{tracing.collector}` is declared for this "
        f"namespace; {known}. The platform team declares them in the chart's value "
        "`traceCollectors`"
    )
