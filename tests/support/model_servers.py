"""Model servers for tests: the ASGI application in this process, or a real process of its own."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.engine import InlineEngine
from serinus_runtime.server.hot_path import HotPath
from serinus_runtime.server.prediction_paths import PredictionPaths
from serinus_runtime.server.request_body import Receive, Scope, Send
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.settings import settings_from_environment
from serinus_runtime.server.wiring import made_serving

KEY = b"a key of the tests, 32 bytes long"
REVISION = "0123456789"
DEADLINE_SECONDS = 30


def environment(package: Packaged, store: Path, **changes: str) -> dict[str, str]:
    """`SERINUS_*` of a pod that serves the package; `changes` by name without prefix."""
    key_file = store / "key"
    key_file.write_bytes(KEY)
    given = {
        "DEPLOYMENT": "flight-delay",
        "REVISION": REVISION,
        "NAMESPACE": "default",
        "POD_UID": "a-pod",
        "MODEL_URI": f"file:///store/{package.path.relative_to(store)}",
        "MODEL_DIGEST": package.digest,
        "STORE": str(store),
        "FEEDBACK_KEY_FILE": str(key_file),
        "COHORT_LENGTH_SECONDS": "60",
        "HOST": "127.0.0.1",
        "PORT": "0",
    }
    return {f"SERINUS_{name}": value for name, value in (given | changes).items()}


def made(package: Packaged, store: Path, **changes: str) -> Serving:
    """All that the application needs, as the process makes it; answers are computed inline."""
    settings = settings_from_environment(environment(package, store, **changes))
    model = load(package.path, package.digest)
    serving = made_serving(settings, model, KEY, asyncio.new_event_loop())
    serving.engine.close()
    return replace(serving, engine=InlineEngine(model.predictor))


async def not_here(_scope: Scope, _receive: Receive, send: Send) -> None:
    """A fallback that says that it was asked."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"fallback"})


@dataclass(slots=True)
class Client:
    """Calls the application in this process and waits for its answer."""

    serving: Serving

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self.asked(method, path, **options))

    async def asked(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer, on the loop that runs."""
        transport = httpx.ASGITransport(
            HotPath(self.serving, PredictionPaths(self.serving), not_here)
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://pod") as client:
            return await client.request(method, path, **options)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, document: Any) -> httpx.Response:
        """Post JSON, or bytes as they are."""
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.request("POST", path, content=content)

    def metric(self, name: str, **labels: str) -> float | None:
        """Value of the sample with that name and at least these labels."""
        return metric(self.get("/metrics").text, name, **labels)

    def changed(self, **fields: Any) -> "Client":
        return Client(replace(self.serving, **fields))


def metric(text: str, name: str, **labels: str) -> float | None:
    """Value of a sample in Prometheus text."""
    for line in text.splitlines():
        if line.startswith(f"{name}{{") and all(
            f'{key}="{value}"' in line for key, value in labels.items()
        ):
            return float(line.rsplit(" ", 1)[1])
    return None


@dataclass(slots=True)
class ServerProcess:
    """A model server as a process of its own."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int
    grpc_port: int | None = None
    """Where the Open Inference Protocol is spoken over gRPC, if `GRPC_PORT` asked for it."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lines(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        return logged(self.log)

    def told_to_end(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Its exit code, once it ended."""
        return self.process.wait(DEADLINE_SECONDS)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def logged(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def started(log: Path, variables: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a server process; its output goes to `log`."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "serinus_runtime.server"],
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def server_process(package: Packaged, store: Path, **changes: str) -> Iterator[ServerProcess]:
    """A real server, ready; ended by force if the test didn't end it."""
    log = store / f"server-{time.monotonic_ns()}.log"
    process = started(log, environment(package, store, **changes))
    try:
        told = _told_when_ready(process, log)
        yield ServerProcess(process, log, int(told["port"]), told.get("grpc_port"))
    finally:
        process.kill()
        process.wait()


def _told_when_ready(process: "subprocess.Popen[bytes]", log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for line in logged(log):
            if line["message"] == "model server ready":
                return line
        time.sleep(0.02)
    raise AssertionError(f"the server didn't become ready:\n{log.read_text()}")
