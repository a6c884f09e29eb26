"""Laws of the gRPC port: neither messages nor bytes make the server fail, whoever sends them."""

import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from sklearn.tree import DecisionTreeClassifier

from serinus_runtime.server.inference_service import SERVICE
from tests.support.flight_requests import ROW
from tests.support.inference_calls import raw
from tests.support.model_servers import ServerProcess, server_process
from tests.support.trained_models import fitted, ordinal, packaged

METHODS = (
    "ModelInfer", "ModelMetadata", "ModelReady", "ServerMetadata", "ServerReady", "ServerLive",
)  # fmt: skip
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
FRAMES = some.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    ),
    some.integers(0, 10),
    some.integers(0, 255),
    some.integers(0, 5),
    some.binary(max_size=60),
)
GOODBYE = b"\0\0\x0b\7\0\0\0\0\0" + b"\0\0\0\0" + b"\0\0\0\1" + b"\xba\xad\n"
"""A GOAWAY frame whose words are no text."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    store: Path = tmp_path_factory.mktemp("store")
    pipeline = fitted(ordinal(), DecisionTreeClassifier(max_depth=4), classes=(False, True))
    settings = {"GRPC_PORT": "0", "REQUEST_SECONDS": "0.5", "MAX_BODY_BYTES": "5000"}
    with server_process(packaged(pipeline, store), store, **settings) as process:
        yield process


@pytest.fixture(scope="module")
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as one:
        yield one


def code_of(channel: grpc.Channel, method: str, message: bytes) -> grpc.StatusCode:
    try:
        channel.unary_unary(f"/{SERVICE}/{method}")(message, timeout=10)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def errors(server: ServerProcess) -> list[str]:
    return [str(line) for line in server.lines() if line["level"] == "error"]


def foreign_lines(server: ServerProcess) -> list[bytes]:
    """What stands in the log and isn't ours."""
    return [line for line in server.log.read_bytes().splitlines() if not line.startswith(b"{")]


@given(
    message=some.binary(max_size=80) | some.binary(min_size=4900, max_size=11_000),
    method=some.sampled_from(METHODS),
)
def test_any_message_is_refused_or_answered(
    server: ServerProcess, channel: grpc.Channel, message: bytes, method: str
) -> None:
    assert code_of(channel, method, message) in REFUSALS | {grpc.StatusCode.OK}
    assert not errors(server)


@given(sent=some.binary(max_size=300) | some.lists(FRAMES, max_size=8).map(b"".join))
@example(sent=GOODBYE)
@settings(max_examples=150)
def test_any_bytes_leave_the_server_answering(
    server: ServerProcess, channel: grpc.Channel, sent: bytes
) -> None:
    for bytes_sent in (sent, PREFACE + sent):
        with socket.create_connection(("127.0.0.1", server.grpc_port or 0), timeout=10) as client:
            client.sendall(bytes_sent)

    assert code_of(channel, "ModelInfer", raw([ROW]).SerializeToString()) is grpc.StatusCode.OK
    assert server.process.poll() is None
    assert not foreign_lines(server)
    assert not errors(server)
