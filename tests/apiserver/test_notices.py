"""The operator's process records a decision and tells of it, by what the chart gives it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serinus.api.enums import Kind
from tests.apiserver.test_rights import Story, data_and_training
from tests.support.api_server import ApiServer
from tests.support.operator_process import Machine, wait_until


@pytest.fixture
def received() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address on this machine, and what was posted to it."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            bodies.append(json.loads(self.rfile.read(length)))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: pytest's output is for tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", bodies
    server.shutdown()
    server.server_close()


def test_a_decision_is_recorded_and_told(
    api_server: ApiServer,
    machine: Machine,
    namespace: str,
    chart: None,
    received: tuple[str, list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    url, bodies = received
    (tmp_path / "url").write_text(url)
    sink = {"name": "bus", "type": "cloudEvents", "urlFile": str(tmp_path / "url")}
    operator = machine.start("one", SERINUS_NOTICES=json.dumps([{**sink, "actions": ["start"]}]))
    wait_until("it leads", operator.leads)
    story = Story(api_server, namespace)
    data_and_training(story)
    story.applies(Kind.DEPLOYMENT, "delay", {"model": {"versionRef": {"name": "delay-1"}}})
    wait_until("it is told", lambda: bool(bodies))
    record = story.body(story.path("/api/v1", "configmaps", "delay-record-1"))

    (event,) = bodies
    assert event["type"] == "dev.serinus.deployment.start"
    assert event["subject"] == f"{namespace}/delay"
    assert event["data"] == json.loads(record["data"]["decision.json"])
    assert record["immutable"] is True
    wait_until(
        "it is counted",
        lambda: operator.metric("serinus_notices_total", sink="bus", outcome="sent") == 1,
    )
