"""Requests a second, latency, CPU, memory and start of model servers, ours beside others.

hack/bench serving                        all servers, both models
hack/bench serving --server serinus       some of them (repeatable)
hack/bench serving --model iris           one model
hack/bench serving --seconds 3            of each load, after one to warm up

Each server has one core, the client (wrk, or ours for gRPC) the other. Answers are compared with
scikit-learn's before anything is timed.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.load import LoadError, check_wrk
from benchmarks.serving.models import BenchModel, made_models
from benchmarks.serving.peers import SERVERS, Server
from benchmarks.serving.processes import StartError, running
from benchmarks.serving.results import Cell, Result, show_results

CELLS = ((1, 1), (1, 16), (1, 64), (32, 1), (32, 16), (32, 64))
"""Rows of a request, connections."""
BODIES = 64
_COMPARED = 16


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; 0 when each figure is reached."""
    parser = argparse.ArgumentParser(
        prog="hack/bench serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [server.name for server in SERVERS]
    parser.add_argument("--server", action="append", choices=names, metavar="NAME")
    parser.add_argument("--model", action="append", choices=["iris", "forest"])
    parser.add_argument("--seconds", type=int, default=3)
    asked = parser.parse_args(arguments)
    try:
        check_wrk()
        return show_results(_measured(asked))
    except LoadError as error:
        print(f"hack/bench serving: {error}", file=sys.stderr)
        return 2


def _measured(asked: argparse.Namespace) -> list[Result]:
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = made_models(folder)
        for model in models.values():
            if asked.model and model.name not in asked.model:
                continue
            for server in SERVERS:
                if asked.server and server.name not in asked.server:
                    continue
                try:
                    results.append(_result(server, model, folder, asked.seconds))
                except (StartError, subprocess.CalledProcessError) as error:
                    print(f"{server.name}: {error}", file=sys.stderr)
                    results.append(Result(server.name, model.name))
                else:
                    print(results[-1].line(), file=sys.stderr, flush=True)
    return results


def _result(server: Server, model: BenchModel, folder: Path, seconds: int) -> Result:
    port = free_port()
    wire = server.form.wire
    url = wire.url(port, server.form.path(model.name))
    bodies = {rows: bodies_of(server, model, rows) for rows in {rows for rows, _ in CELLS}}
    started = server.start(server.python(), model, port, folder)
    log = folder / "server.log"
    with running(
        started.command, log, lambda: is_right(server, url, bodies[1][:1]), dict(started.variables)
    ) as tree:
        for rows, pairs in bodies.items():
            if not is_right(server, url, pairs[:_COMPARED]):
                raise StartError(f"answers of {rows} rows aren't scikit-learn's")
        cells = {}
        for rows, connections in CELLS:
            sent = [body for body, _ in bodies[rows]]
            wire.load(url, sent, folder, connections=connections, seconds=1)
            before = tree.cpu_seconds()
            seen = wire.load(url, sent, folder, connections=connections, seconds=seconds)
            cells[rows, connections] = Cell(seen, tree.cpu_seconds() - before)
        return Result(server.name, model.name, tree.start_seconds, tree.pss_mb(), cells)


def bodies_of(server: Server, model: BenchModel, rows: int) -> list[tuple[Any, list[int]]]:
    """Requests of rows drawn from the model's, and what scikit-learn predicts."""
    chance = np.random.default_rng(7)
    pairs = []
    for _ in range(BODIES):
        chosen = model.rows[chance.integers(0, len(model.rows), rows)]
        pairs.append((server.form.request(chosen.tolist()), model.expected(chosen)))
    return pairs


def is_right(server: Server, url: str, pairs: Sequence[tuple[Any, list[int]]]) -> bool:
    """Whether the server answers, and as scikit-learn does."""
    for body, expected in pairs:
        try:
            predictions = server.form.predictions(server.form.wire.asked(url, body))
        except (OSError, ValueError):
            return False
        if [int(value) for value in predictions] != expected:
            return False
    return True


def free_port() -> int:
    """The first of three free ports in a row, as MLServer wants them."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for more in (1, 2):
                    with socket.socket() as other:
                        other.bind(("127.0.0.1", port + more))
            except OSError:
                continue
            return port
