"""How requests get to a server: over HTTP, with wrk for load, or gRPC, with a client of our own."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import grpc

from benchmarks.serving.grpc_client import LENGTH_BYTES, METHOD
from benchmarks.serving.load import Seen, load, seen_by
from serinus_runtime.server import open_inference_pb2 as messages

_CLIENT = Path(__file__).parent / "grpc_client.py"
_TIMEOUT_SECONDS = 10


class Wire(Protocol):
    """One way to ask."""

    def url(self, port: int, path: str) -> str:
        """Where a server is asked that was told to listen on `port`."""

    def asked(self, url: str, body: Any) -> Any:
        """The answer to one request, as JSON would say it; raises `OSError` or `ValueError`."""

    def load(
        self, url: str, bodies: Sequence[Any], folder: Path, *, connections: int, seconds: int
    ) -> Seen:
        """Ask for some seconds over so many connections, each body in its turn."""


class Http:
    """JSON over HTTP/1.1."""

    def url(self, port: int, path: str) -> str:
        """The port is that of HTTP."""
        return f"http://127.0.0.1:{port}{path}"

    def asked(self, url: str, body: Any) -> Any:
        """The answer's JSON."""
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            return json.load(response)

    def load(
        self, url: str, bodies: Sequence[Any], folder: Path, *, connections: int, seconds: int
    ) -> Seen:
        """By wrk."""
        return load(url, bodies, folder, connections=connections, seconds=seconds)


class Grpc:
    """The Open Inference Protocol over gRPC, values in the field of their datatype."""

    def url(self, port: int, path: str) -> str:
        """The port next to that of HTTP."""
        return f"grpc://127.0.0.1:{port + 1}{path}"

    def asked(self, url: str, body: Any) -> Any:
        """The answer as its JSON would be."""
        where = urlsplit(url)
        with grpc.insecure_channel(where.netloc) as channel:
            call = channel.unary_unary(METHOD)
            try:
                answer = call(message_of(where.path, body), timeout=_TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                raise OSError(str(error)) from error
        return document_of(answer)

    def load(
        self, url: str, bodies: Sequence[Any], folder: Path, *, connections: int, seconds: int
    ) -> Seen:
        """By a client of as many channels."""
        where = urlsplit(url)
        file = folder / "messages"
        file.write_bytes(file_of(where.path, bodies))
        command = [sys.executable, str(_CLIENT), where.netloc, str(file)]
        return seen_by([*command, str(connections), str(seconds)], seconds)


def message_of(path: str, body: Any) -> bytes:
    """A request of floats to the model that the path names."""
    request = messages.ModelInferRequest(model_name=path.strip("/"))
    for given in body["inputs"]:
        tensor = request.inputs.add(name=given["name"], datatype="FP64", shape=given["shape"])
        tensor.contents.fp64_contents.extend(given["data"])
    return bytes(request.SerializeToString())


def file_of(path: str, bodies: Sequence[Any]) -> bytes:
    """Their messages as the client reads them."""
    found = [message_of(path, body) for body in bodies]
    return b"".join(len(one).to_bytes(LENGTH_BYTES, "little") + one for one in found)


def document_of(answer: bytes) -> Any:
    """An answer of whole numbers as its JSON would be."""
    told = messages.ModelInferResponse.FromString(answer)
    outputs = []
    for number, one in enumerate(told.outputs):
        data = [*one.contents.int64_contents, *one.contents.int_contents]
        if told.raw_output_contents:
            raw = memoryview(told.raw_output_contents[number])
            data = raw.cast("q" if one.datatype == "INT64" else "i").tolist()
        outputs.append({"name": one.name, "data": data})
    return {"outputs": outputs}


HTTP, GRPC = Http(), Grpc()
