"""Minutes of load on the model server: whether its memory stays, and whether its counts add up.

hack/bench soak                    ten minutes over 16 connections, each row logged
hack/bench soak --seconds 60       a shorter one
hack/bench soak --model forest     100 trees

The server has one core, the client (wrk) the other. The control is the memory that a bare ASGI
application keeps of each request, over a tenth of the time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, show
from benchmarks.serving.load import LoadError, check_wrk, load
from benchmarks.serving.models import BenchModel, made_models
from benchmarks.serving.peers import SERVERS, WITH_LOGS, Server
from benchmarks.serving.processes import running
from benchmarks.serving.run import bodies_of, free_port, is_right
from benchmarks.soak.seen import Soaked, totals_in

CONTROL = "raw ASGI, our predictor"
_PART_SECONDS = 20
"""Of load, between two looks at the memory; as long it is warmed up."""
_NO_ACCESS_LOG = {"SERINUS_ACCESS_LOG": "false"}
"""A line for each of millions of requests would fill the disk and tell nothing more."""


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; 0 when each figure is reached."""
    parser = argparse.ArgumentParser(
        prog="hack/bench soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--model", choices=["iris", "forest"], default="iris")
    asked = parser.parse_args(arguments)
    try:
        check_wrk()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            model = made_models(folder)[asked.model]
            ours, control = (
                soaked(server, model, folder, seconds, asked.connections)
                for server, seconds in (
                    (_by_name(WITH_LOGS), asked.seconds),
                    (_by_name(CONTROL), asked.seconds // 10),
                )
            )
    except LoadError as error:
        print(f"hack/bench soak: {error}", file=sys.stderr)
        return 2
    return show("Soak", figures(ours, control), control=f"{CONTROL}, a tenth of the time")


def _by_name(name: str) -> Server:
    return next(server for server in SERVERS if server.name == name)


def soaked(
    server: Server, model: BenchModel, folder: Path, seconds: int, connections: int
) -> Soaked:
    """Load one server in parts, and look at its memory after each."""
    port = free_port()
    url = server.form.wire.url(port, server.form.path(model.name))
    pairs = bodies_of(server, model, 1)
    bodies = [body for body, _ in pairs]
    started = server.start(server.python(), model, port, folder)
    log = folder / "server.log"
    parts, pss_mb = [], []
    with running(
        started.command,
        log,
        lambda: is_right(server, url, pairs[:1]),
        {**started.variables, **_NO_ACCESS_LOG},
    ) as tree:
        for _ in range(1 + max(1, seconds // _PART_SECONDS)):
            parts.append(load(url, bodies, folder, connections=connections, seconds=_PART_SECONDS))
            pss_mb.append(tree.pss_mb())
            told = f"{parts[-1].per_second:,.0f} requests/s, PSS {pss_mb[-1]:.1f} MB"
            print(f"{server.name}: {told}", file=sys.stderr, flush=True)
    return Soaked(tuple(parts), tuple(pss_mb), totals_in(log.read_text()))


def figures(ours: Soaked, control: Soaked) -> list[Figure]:
    """What is to be reached. A client that ends hangs up on the answers that it waits for."""
    totals, seen = ours.totals, ours.answered
    return [
        Figure("kept of a request", ours.kept_kb, "KB", at_most=0.1, control=control.kept_kb),
        Figure("requests that failed", ours.failed, "", at_most=0),
        Figure("requests that clients saw answered", seen, ""),
        Figure("requests counted beyond them", totals.requests - seen, "", at_least=0),
        Figure("rows less requests", totals.rows - totals.requests, "", at_least=0, at_most=0),
        Figure(
            "rows less those logged or dropped",
            totals.rows - totals.logged,
            "",
            at_least=0,
            at_most=0,
        ),
        Figure("rows dropped by the log", totals.dropped, ""),
    ]
