"""The contract with uvicorn that `connection` leans on; a new uvicorn fails here first."""

import inspect
import time

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server

from serinus_runtime.server.connection import BoundedConnection, ConnectionPolicy, bounded


def test_uvicorn_still_has_what_we_override() -> None:
    assert "self.cycle = RequestResponseCycle(" in inspect.getsource(
        HttpToolsProtocol.on_headers_complete
    )
    assert "self.keep_alive" in inspect.getsource(RequestResponseCycle.send)
    assert list(inspect.signature(Server.handle_exit).parameters) == ["self", "sig", "frame"]
    assert list(inspect.signature(Server.on_tick).parameters) == ["self", "counter"]


def test_ages_are_spread_but_never_longer_than_allowed() -> None:
    policy = ConnectionPolicy(max_age_seconds=30, max_requests=10)

    ends = {policy.deadline(100.0) for _ in range(200)}

    assert len(ends) > 100
    assert all(124 <= end <= 130 for end in ends)


def test_age_zero_is_no_limit() -> None:
    assert ConnectionPolicy(0, 10).deadline(time.monotonic()) == float("inf")


def test_each_server_has_its_own_policy() -> None:
    one, other = ConnectionPolicy(1, 1), ConnectionPolicy(2, 2)

    assert bounded(one).policy is one
    assert bounded(other).policy is other
    assert issubclass(bounded(one), BoundedConnection)
