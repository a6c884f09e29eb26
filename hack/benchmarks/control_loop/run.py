"""5,000 objects on a real kube-apiserver: start to first full pass, memory, changes, resync.

Argo Rollouts with 5,000 Rollouts, as measured for comparison: 142 s to the first full pass and
460 MiB; 50 changes/s were applied within 91 s (p50) and 181 s (p99).
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.control_loop.story import Measurements, measure
from benchmarks.figures import Figure, show
from tests.support.api_server import TOKEN, running_api_server, write_kubeconfig

CONTROL = "kopf with handlers that do nothing, on the same objects; for changes: seen by a watch"


def main(arguments: Sequence[str]) -> int:
    """Measure, print the figures, and tell the exit code."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="serinus-bench-") as name:
        folder = Path(name)
        with running_api_server(folder) as server:
            server.install_crds()
            config = write_kubeconfig(folder / "kubeconfig", url=server.url)
            found = asyncio.run(measure(folder, config, server.url, TOKEN, options.objects))
    title = f"control loop, {options.objects:,} objects ({time.monotonic() - started:.0f} s in all)"
    return show(title, figures(found), control=CONTROL)


def figures(found: Measurements) -> list[Figure]:
    """What was measured beside what is to be reached."""
    start, change = found.start, found.changes
    return [
        Figure(
            "cold start to first full pass",
            start.seconds,
            "s",
            at_most=30,
            control=found.bare.seconds,
        ),
        Figure("CPU in that time", start.cpu_seconds, "s", control=found.bare.cpu_seconds),
        Figure(
            "memory at most",
            start.peak_memory_mb,
            "MB",
            at_most=300,
            control=found.bare.peak_memory_mb,
        ),
        Figure("memory after the pass", start.memory_mb, "MB", control=found.bare.memory_mb),
        Figure("writes in a resync", found.resync_writes, "", at_most=0),
        Figure("events a second of CPU", found.events_per_cpu_second, "/s", at_least=500),
        Figure(
            f"{change.rate_per_second:g} changes/s, applied: p50",
            change.applied_p50_seconds,
            "s",
            at_most=0.3,
            control=change.seen_p50_seconds,
        ),
        Figure("p99", change.applied_p99_seconds, "s", at_most=1, control=change.seen_p99_seconds),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hack/bench control-loop",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--objects", type=int, default=5_000, help="how many; half of each kind")
    return parser
