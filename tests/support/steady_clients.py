"""Clients that ask a server for as long as a test wants, and remember what they saw."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.model_servers import DEADLINE_SECONDS
from tests.support.trained_models import flights

CLIENTS = 8
ROWS = (1, 3)
BODIES = [json.dumps({"rows": flights(n, seed=n)}).encode() for n in ROWS]
REFUSED = json.dumps({"rows": [{"distance": -1}]}).encode()


@dataclass(slots=True)
class Seen:
    """What one client sent and got."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    ids: list[tuple[str, int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Balancer:
    """Where new connections go, as a Service says it."""

    def __init__(self, port: int) -> None:
        self.port = port


def asks(balancer: Balancer, seen: Seen, stop: threading.Event) -> None:
    """Ask until told to stop, in connections as long as the server keeps them."""
    connection: http.client.HTTPConnection | None = None
    while not stop.is_set():
        kind = seen.sent % 10
        body = REFUSED if kind == 9 else BODIES[kind % 2]
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", balancer.port, timeout=20)
        seen.sent += 1
        try:
            connection.request("POST", "/predict", body)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            seen.failures.append(repr(error))
            connection = None
            continue
        seen.statuses[answer.status] += 1
        if answer.status == 200:
            seen.ids.append((said["id"], len(said["predictions"])))
        if answer.will_close:
            connection.close()
            connection = None


@contextmanager
def load(balancer: Balancer, clients: int = CLIENTS) -> Iterator[list[Seen]]:
    """Clients that ask for as long as the block lasts."""
    stop, seen = threading.Event(), [Seen() for _ in range(clients)]
    threads = [threading.Thread(target=asks, args=(balancer, one, stop)) for one in seen]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_SECONDS)


def wait_for(seen: list[Seen], requests: int) -> None:
    """Until the clients have sent so many more requests."""
    wanted = sum(one.sent for one in seen) + requests
    deadline = time.monotonic() + DEADLINE_SECONDS
    while sum(one.sent for one in seen) < wanted:
        assert time.monotonic() < deadline, [one.failures for one in seen]
        time.sleep(0.02)
