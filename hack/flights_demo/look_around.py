"""What there is to see when the demo went otherwise than it has to, for who has to find out why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flights_demo import objects, preparation
from flights_demo.commands import DemoError, run
from serinus.api.deployment_status import MetricStatus

_COMMANDS = (
    (".venv/bin/kubectl-serinus", "why", objects.DEPLOYMENT, "-n", objects.NAMESPACE),
    ("kubectl", "-n", objects.NAMESPACE, "get", "pods"),
    ("kubectl", "-n", preparation.RELEASE_NAMESPACE, "get", "pods"),
    (
        "kubectl",
        "-n",
        preparation.RELEASE_NAMESPACE,
        "logs",
        "deployment.apps/serinus",
        "--tail=30",
    ),
)
_COMMAND_SECONDS = 30


def seen(commands: Sequence[Sequence[str]] = _COMMANDS) -> Iterator[str]:
    """Each command and what it says, or why it can't."""
    for command in commands:
        yield f"$ {shlex.join(command)}"
        try:
            yield run(command, timeout_seconds=_COMMAND_SECONDS).rstrip()
        except DemoError as error:
            yield str(error)


def metrics_in_words(analysis: Sequence[MetricStatus]) -> str:
    """Why there is no decision: the verdict of each metric and the age of what it rests on."""
    return "; ".join(
        f"{one.metric} is {one.verdict}, newest sample {one.newest_sample_at or 'none'}"
        + (f": {one.message}" if one.message else "")
        for one in analysis
    )


def failures_in_words(failures: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """When which requests got no answer."""
    for one in failures:
        at = datetime.fromtimestamp(one["at"], UTC)
        yield f"{at:%H:%M:%S.%f} UTC, scene {one['scene']}: {one['asked']}, {one['failure']}"
