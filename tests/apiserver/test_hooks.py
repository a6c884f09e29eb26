"""The operator's process asks a hook over HTTP, by what the chart gives it, and heeds it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serinus.api.enums import Kind
from tests.apiserver.test_rights import Story, data_and_training
from tests.support.api_server import ApiServer
from tests.support.operator_process import Machine, wait_until

TOKEN = "Bearer correct-horse-battery"
HOOKS = [{"type": "confirm-promotion", "name": "board"}]


@dataclass
class Board:
    """Whoever has to confirm: says what `status` says, and remembers what it was asked."""

    status: int = 403
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


@pytest.fixture
def board() -> Iterator[Board]:
    """An address on this machine."""
    board = Board()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            board.asked.append(json.loads(body))
            board.tokens.add(self.headers["Authorization"])
            self.send_response(board.status)
            self.end_headers()
            self.wfile.write(b"not before noon, says " + self.headers["Authorization"].encode())

        def log_message(self, *_: Any) -> None:
            """Nothing: pytest's output is for tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    board.url = f"http://127.0.0.1:{server.server_address[1]}/gate/check"
    yield board
    server.shutdown()
    server.server_close()


def all_pods_are_ready(story: Story) -> None:
    """Controllers of all workloads have made what they were asked for."""
    for one in story.body(story.path("/apis/apps/v1", "deployments"))["items"]:
        replicas = one["spec"]["replicas"]
        status = {
            "observedGeneration": one["metadata"]["generation"],
            "replicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        }
        path = story.path("/apis/apps/v1", "deployments", one["metadata"]["name"])
        story.server.patch(f"{path}/status", {"status": status})


def test_a_promotion_waits_for_a_hook_and_is_its_act(
    api_server: ApiServer,
    machine: Machine,
    namespace: str,
    chart: None,
    board: Board,
    tmp_path: Path,
) -> None:
    (tmp_path / "url").write_text(board.url)
    (tmp_path / "headers").write_text(f"Authorization: {TOKEN}\n")
    hook = {
        "name": "board",
        "urlFile": str(tmp_path / "url"),
        "headersFile": str(tmp_path / "headers"),
        "namespaces": [namespace],
        "intervalSeconds": 5,
    }
    operator = machine.start("one", SERINUS_HOOKS=json.dumps([hook]))
    wait_until("it leads", operator.leads)
    story = Story(api_server, namespace)
    data_and_training(story)
    path = story.ours(Kind.DEPLOYMENT, "delay")

    def status() -> dict[str, Any]:
        all_pods_are_ready(story)
        return dict(story.body(path).get("status", {}))

    spec = {
        "model": {"versionRef": {"name": "delay-1"}},
        "strategy": {"canary": {"steps": []}, "hooks": HOOKS},
        "analysis": {"metrics": []},
    }
    story.applies(Kind.DEPLOYMENT, "delay", spec)
    wait_until("it is stable", lambda: "stable" in status())
    first = status()["stable"]["revision"]
    asked_for_the_first = len(board.asked)

    story.edits(Kind.DEPLOYMENT, "delay", server={"env": [{"name": "ROUND", "value": "2"}]})
    wait_until("it waits for the board", lambda: status().get("phase") == "Paused")
    (waits,) = status()["canary"]["hooks"]
    board.status = 200
    wait_until("it is promoted", lambda: status()["stable"]["revision"] != first)
    (told,) = [one for one in status()["history"] if one["reason"] == "PromotedWithoutEvidence"]

    assert asked_for_the_first == 0
    assert (waits["answer"], waits["message"]) == ("no", "HTTP 403: not before noon, says ***")
    assert told["actor"] == "hook/board"
    assert board.tokens == {TOKEN}
    assert {one["checksum"] for one in board.asked} == {status()["stable"]["revision"]}
    assert {one["namespace"] for one in board.asked} == {namespace}
    assert operator.metric("serinus_hook_answers_total", hook="board", answer="yes") == 1
    assert "correct-horse" not in operator.log.read_text()
