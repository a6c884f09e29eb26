"""What the log costs a server where all requests are logged.

What its thread takes is held against what the same process takes for the requests meanwhile, so
that a busy machine changes neither more than the other. A server without a log is measured beside
it, for a person to read: that figure is only worth something where nothing else runs.
"""

import json
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.model_servers import ServerProcess, server_process
from tests.support.trained_models import flights
from tests.support.wire import request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CONNECTIONS = 16
ROUNDS = 200
RUNS = 5
COST_MAX = 0.15
END = b'"model":"flight-delay"}'


class Spent(NamedTuple):
    """CPU time for a request, in microseconds: of all threads, and of the one that answers."""

    total: float
    answering: float


class Asked:
    """A server under a load of as many requests at once as there are connections."""

    def __init__(self, server: ServerProcess, rows: int) -> None:
        self._server = server
        body = json.dumps({"rows": flights(rows, seed=1)}).encode()
        # With a name of its own a request is parsed, as those of most clients behind a gateway are.
        self._request = request("/predict", body, b"x-request-id: 1")
        self._sockets = [
            socket.create_connection(("127.0.0.1", server.port), timeout=20)
            for _ in range(CONNECTIONS)
        ]

    def microseconds(self, rounds: int) -> "Spent":
        """CPU time of the server for a request."""
        before = self._cpu_seconds()
        for _ in range(rounds):
            for one in self._sockets:
                one.sendall(self._request)
            for one in self._sockets:
                _read_answer(one)
        after, a_request = self._cpu_seconds(), 1e6 / (rounds * CONNECTIONS)
        total, loop = (after[place] - before[place] for place in (0, 1))
        return Spent(total * a_request, loop * a_request)

    def _cpu_seconds(self) -> tuple[float, float]:
        """Of all its threads, and of the one that answers, which is the process' first."""
        pid = self._server.process.pid
        threads = {
            int(thread.parent.name): int(thread.read_text().split()[0]) / 1e9
            for thread in Path(f"/proc/{pid}/task").glob("*/schedstat")
        }
        return sum(threads.values()), threads[pid]

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def end(self) -> None:
        """End the server gracefully."""
        self.close()
        self._server.told_to_end()
        assert self._server.exit_code() == 0


def _read_answer(connection: socket.socket) -> None:
    answer = connection.recv(65536)
    while not answer.endswith(END):
        more = connection.recv(65536)
        assert more, f"an answer that breaks off after {answer!r}"
        answer += more
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("rows", [1, 32])
def test_logging_every_request_costs_little(
    two_classes: Packaged, store: Path, tmp_path: Path, rows: int
) -> None:
    policy, folder = tmp_path / "policy.json", tmp_path / "log"
    folder.mkdir()
    said = {"samplePercent": 100, "maxAgeSeconds": 86400, "maxSizeBytes": 1 << 30}
    policy.write_text(json.dumps(said))
    lasting = {"CONNECTION_MAX_AGE_SECONDS": "0", "CONNECTION_MAX_REQUESTS": str(10**9)}
    logging = {
        "PREDICTION_LOG": str(folder),
        "PREDICTION_LOG_POLICY": str(policy),
        "PREDICTION_LOG_SECONDS": "1",
    }
    with ExitStack() as stack:

        def asked(**settings: str) -> Asked:
            server = stack.enter_context(server_process(two_classes, store, **lasting, **settings))
            made = Asked(server, rows)
            stack.callback(made.close)
            made.microseconds(ROUNDS // 5)
            return made

        without, logged = asked(), asked(**logging)
        pairs = [(without.microseconds(ROUNDS), logged.microseconds(ROUNDS)) for _ in range(RUNS)]
        logged.end()  # which writes what waits

    off, on = (min(spent.total for spent in of) for of in zip(*pairs, strict=True))
    answering = sum(spent.answering for _, spent in pairs)
    cost = sum(spent.total for _, spent in pairs) / answering - 1
    print(f"{rows} rows: {off:.1f} µs without, {on:.1f} µs with the log; its thread {cost:+.1%}")
    assert list(folder.rglob("*.parquet"))
    assert 0 < cost <= COST_MAX
