"""The contract with uvicorn that `connection` leans on; a new uvicorn fails here first."""

import inspect
import time

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server

from serinus_runtime.server.connection import ConnectionPolicy


def test_uvicorn_still_has_what_we_override() -> None:
    assert "self.send_400_response(msg)" in inspect.getsource(HttpToolsProtocol.data_received)
    assert "self._unsupported_upgrade_warning()" in inspect.getsource(
        HttpToolsProtocol.data_received
    )
    assert "on_response=self.on_response_complete" in inspect.getsource(
        HttpToolsProtocol.on_headers_complete
    )
    assert '"state": self.app_state.copy()' in inspect.getsource(HttpToolsProtocol.on_message_begin)
    assert "self.pipeline.appendleft" in inspect.getsource(HttpToolsProtocol.on_headers_complete)
    assert "self.cycle = RequestResponseCycle(" in inspect.getsource(
        HttpToolsProtocol.on_headers_complete
    )
    assert "self.keep_alive" in inspect.getsource(RequestResponseCycle.send)
    assert list(inspect.signature(Server.handle_exit).parameters) == ["self", "sig", "frame"]
    assert list(inspect.signature(Server.on_tick).parameters) == ["self", "counter"]


def test_ages_are_spread_but_never_longer_than_allowed() -> None:
    policy = ConnectionPolicy(max_age_seconds=30, max_requests=10, max_body_bytes=10)

    ends = {policy.deadline(100.0) for _ in range(200)}

    assert len(ends) > 100
    assert all(124 <= end <= 130 for end in ends)


def test_age_zero_is_no_limit() -> None:
    assert ConnectionPolicy(0, 10, 10).deadline(time.monotonic()) == float("inf")
