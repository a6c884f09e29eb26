"""The cluster as the demo reads and writes it: kubectl for writes, `kubectl proxy` for reads.

One proxy on a loopback port of its own serves objects and the pods' ports alike, with whatever
credentials the kubeconfig holds.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from flights_demo.commands import DemoError, run
from flights_demo.objects import NAMESPACE

JsonObject = dict[str, Any]

SERINUS_API = "/apis/serinus.dev/v1alpha1"
_STARTING = re.compile(rb"127\.0\.0\.1:(\d+)")
_REQUEST_SECONDS = 10


class Cluster:
    """Reads over the proxy at `url`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=_REQUEST_SECONDS)

    async def listed(self, resource: str, selector: str = "") -> list[JsonObject]:
        """Objects of a resource in the demo's namespace; raises `httpx.HTTPError`."""
        api = "/api/v1" if resource == "pods" else SERINUS_API
        answer = await self._client.get(
            f"{api}/namespaces/{NAMESPACE}/{resource}", params={"labelSelector": selector}
        )
        answer.raise_for_status()
        items: list[JsonObject] = answer.json()["items"]
        return items

    async def ask_pod(
        self, pod: str, port: int, path: str, document: Mapping[str, Any] | None = None
    ) -> JsonObject:
        """Answer of a pod's port: GET, or POST with a document. Raises `httpx.HTTPError`."""
        url = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:{port}/proxy{path}"
        if document is None:
            answer = await self._client.get(url)
        else:
            answer = await self._client.post(url, json=document)
        answer.raise_for_status()
        told: JsonObject = answer.json()
        return told

    async def close(self) -> None:
        """End its connections."""
        await self._client.aclose()


@contextmanager
def proxy() -> Iterator[str]:
    """URL of a `kubectl proxy` that runs meanwhile."""
    process = subprocess.Popen(
        ["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = _STARTING.search(line)
        if not found:
            raise DemoError(f"kubectl proxy failed: {line.decode(errors='replace')}")
        yield f"http://127.0.0.1:{int(found[1])}"
    finally:
        process.terminate()
        process.wait(10)


def apply(objects: Sequence[Mapping[str, Any]]) -> None:
    """Create or change objects in the demo's namespace, as a person does."""
    body = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    run(["kubectl", "-n", NAMESPACE, "apply", "-f", "-"], stdin=json.dumps(body).encode())


def kubectl(*words: str, stdin: bytes | None = None, timeout_seconds: float = 180) -> str:
    """Output of kubectl."""
    return run(["kubectl", *words], stdin=stdin, timeout_seconds=timeout_seconds)


def wait_for_pods(selector: str, timeout_seconds: int = 120) -> None:
    """Wait until the demo's pods of a selector are ready."""
    condition = ["--for=condition=Ready", f"--timeout={timeout_seconds}s"]
    kubectl("-n", NAMESPACE, "wait", "pods", "-l", selector, *condition)


async def in_thread(function: Any, *arguments: Any) -> Any:
    """Run what blocks without stopping the view."""
    return await asyncio.to_thread(function, *arguments)
