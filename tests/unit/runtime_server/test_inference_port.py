"""The gRPC port of a real server: what travels, what is bounded, and how it ends."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.inference_port import connection_age_seconds, peer_of
from serinus_runtime.server.inference_service import SERVICE
from tests.support.flight_requests import ROW
from tests.support.inference_calls import raw, typed
from tests.support.model_servers import REVISION, ServerProcess, metric, server_process

pytestmark = pytest.mark.slow

INFER = f"/{SERVICE}/ModelInfer"


@pytest.fixture(scope="module")
def server(
    two_classes: Packaged, tmp_path_factory: pytest.TempPathFactory, store: Path
) -> Iterator[ServerProcess]:
    with server_process(
        two_classes, store, GRPC_PORT="0", REQUEST_SECONDS="0.3", MAX_BODY_BYTES="5000"
    ) as process:
        yield process


def channel(server: ServerProcess, **options: int) -> grpc.Channel:
    return grpc.insecure_channel(
        f"127.0.0.1:{server.grpc_port}",
        options=[("grpc.use_local_subchannel_pool", 1), *options.items()],
    )


def inferred(
    open_channel: grpc.Channel, request: wire.ModelInferRequest
) -> wire.ModelInferResponse:
    call = open_channel.unary_unary(INFER)
    return wire.ModelInferResponse.FromString(call(request.SerializeToString(), timeout=10))


def refusal(server: ServerProcess, path: str, message: bytes) -> grpc.RpcError:
    with channel(server) as one, pytest.raises(grpc.RpcError) as refused:
        one.unary_unary(path)(message, timeout=10)
    return refused.value


def counted(server: ServerProcess, name: str, **labels: str) -> float | None:
    return metric(httpx.get(f"{server.url}/metrics").text, name, **labels)


def test_a_call_is_answered_and_says_by_which_revision(server: ServerProcess) -> None:
    with channel(server) as one:
        message = raw([ROW]).SerializeToString()
        answer, call = one.unary_unary(INFER).with_call(message, timeout=10)

    assert len(wire.ModelInferResponse.FromString(answer).raw_output_contents) == 2
    assert ("serinus-revision", REVISION) in [tuple(pair) for pair in call.trailing_metadata()]


def test_a_refusal_names_the_field(server: ServerProcess) -> None:
    request = typed([ROW])
    request.inputs[0].shape[:] = [2]

    told = refusal(server, INFER, request.SerializeToString())

    assert told.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (
        told.details() == "`inputs[0].data` of `distance`: expected 2 values for shape [2], got 1"
    )
    assert ("serinus-revision", REVISION) in [tuple(pair) for pair in told.trailing_metadata()]


@pytest.mark.parametrize(
    ("path", "message", "code"),
    [
        (INFER, b"\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (INFER, bytes(6_000), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (INFER, bytes(60_000), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (
            INFER,
            typed([ROW], model_name="x").SerializeToString(),
            grpc.StatusCode.NOT_FOUND,
        ),
        ("/inference.GRPCInferenceService/ModelTrain", b"", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_each_refusal_has_its_code(
    server: ServerProcess, path: str, message: bytes, code: grpc.StatusCode
) -> None:
    assert refusal(server, path, message).code() is code


def test_compressed_messages_are_refused_unread(server: ServerProcess) -> None:
    bomb = typed([ROW]).SerializeToString() + b"\x1a" + b"\x80\x08" + bytes(1024)
    with channel(server) as one, pytest.raises(grpc.RpcError) as refused:
        one.unary_unary(INFER)(bomb, timeout=10, compression=grpc.Compression.Gzip)

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert len(gzip.compress(bomb)) < len(bomb)


def test_a_call_that_never_comes_whole_ends(server: ServerProcess) -> None:
    before = counted(server, "serinus_requests_unread_total")

    def nothing_yet() -> Iterator[bytes]:
        time.sleep(2)
        yield b""

    with channel(server) as one, pytest.raises(grpc.RpcError) as refused:
        one.stream_unary(INFER)(nothing_yet(), timeout=10)

    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert refused.value.details() == "the request didn't come whole within 0.3 s"
    assert counted(server, "serinus_requests_unread_total") == (before or 0) + 1


def test_a_call_without_a_message_is_refused(server: ServerProcess) -> None:
    with channel(server) as one, pytest.raises(grpc.RpcError) as refused:
        one.stream_unary(INFER)(iter(()), timeout=10)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "the call: expected a message, got none"


@dataclass(slots=True)
class Calls:
    """What clients that never pause were told."""

    revisions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    under_way: asyncio.Event = field(default_factory=asyncio.Event)

    async def go_on(self, port: int, until: asyncio.Event) -> None:
        message = typed([ROW]).SerializeToString()
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as one:
            infer = one.unary_unary(INFER)
            while not until.is_set():
                try:
                    answer = wire.ModelInferResponse.FromString(await infer(message, timeout=5))
                    self.revisions.append(answer.parameters["revision"].string_param)
                except grpc.aio.AioRpcError as error:
                    self.failures.append(f"{error.code()}: {error.details()}")
                if len(self.revisions) > 50:
                    self.under_way.set()


class Service:
    """Leads new connections to one pod; those that are there stay where they are."""

    def __init__(self, pod: ServerProcess, *, connections_wanted: int = 0) -> None:
        self.pod = pod
        self.many_came = asyncio.Event()
        self._still_wanted = connections_wanted

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._still_wanted -= 1
        if self._still_wanted == 0:
            self.many_came.set()
        pod_reader, pod_writer = await asyncio.open_connection("127.0.0.1", self.pod.grpc_port)
        ways = (self.way(reader, pod_writer), self.way(pod_reader, writer))
        await asyncio.gather(*ways, return_exceptions=True)

    async def way(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            target.write(data)
        target.close()


@asynccontextmanager
async def eight_clients(service: Service) -> AsyncIterator[Calls]:
    """They call through the Service until the block is left, and then all end."""
    calls, over = Calls(), asyncio.Event()
    async with await asyncio.start_server(service.connected, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        clients = [asyncio.create_task(calls.go_on(port, over)) for _ in range(8)]
        yield calls
        over.set()
        await asyncio.gather(*clients)


async def played(ends: ServerProcess, stays: ServerProcess) -> Calls:
    """Clients call one pod, the Service turns to the other, and the first is told to end."""
    service = Service(ends)
    async with eight_clients(service) as calls:
        await asyncio.wait_for(calls.under_way.wait(), 10)
        ends.told_to_end()
        service.pod = stays
        await asyncio.to_thread(ends.exit_code)
    return calls


async def called_over_many_connections(server: ServerProcess) -> Calls:
    """Clients call a server that ends their connections again and again."""
    service = Service(server, connections_wanted=200)
    async with eight_clients(service) as calls:
        await asyncio.wait_for(service.many_came.wait(), 30)
    return calls


def test_connections_that_grow_old_lose_no_call(two_classes: Packaged, store: Path) -> None:
    ages = {"CONNECTION_MAX_AGE_SECONDS": "0.1"}
    with server_process(two_classes, store, GRPC_PORT="0", **ages) as server:
        calls = asyncio.run(called_over_many_connections(server))

    assert not calls.failures
    assert len(calls.revisions) > 200


def test_a_pod_that_ends_loses_no_call(two_classes: Packaged, store: Path) -> None:
    other = "abcdef0123"
    with (
        server_process(two_classes, store, GRPC_PORT="0", DRAIN_SECONDS="3") as ends,
        server_process(two_classes, store, GRPC_PORT="0", REVISION=other) as stays,
    ):
        calls = asyncio.run(played(ends, stays))

    assert ends.process.returncode == 0
    assert not calls.failures
    assert set(calls.revisions) == {REVISION, other}


@pytest.mark.parametrize(
    ("wanted", "drain", "age"), [(30, 5, 3.0), (0, 5, 3.0), (1, 5, 1), (30, 0, 30), (0, 0, None)]
)
def test_connections_live_shorter_than_a_pod_drains(
    wanted: float, drain: float, age: float | None
) -> None:
    assert connection_age_seconds(wanted, drain) == age


def test_calls_have_lines_in_the_access_log(two_classes: Packaged, store: Path) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with server_process(two_classes, store, GRPC_PORT="0", ACCESS_LOG="true") as server:
        with channel(server) as one:
            infer = one.unary_unary(INFER)
            infer(typed([ROW]).SerializeToString(), timeout=10, metadata=[("traceparent", trace)])
            with pytest.raises(grpc.RpcError):
                infer(b"\xff", timeout=10)
            one.unary_unary(f"/{SERVICE}/ServerReady")(b"", timeout=10)
        server.told_to_end()
        server.exit_code()
        lines = [line for line in server.lines() if line["logger"] == "access"]

    assert [(line["path"], line["status"]) for line in lines] == [(INFER, 200), (INFER, 400)]
    assert lines[0]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert lines[0]["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("ipv4:10.0.0.7:41234", ("10.0.0.7", 41234)),
        ("ipv6:%5Bfd00::7%5D:41234", ("fd00::7", 41234)),
        ("ipv6:[fd00::7]:41234", ("fd00::7", 41234)),
        ("unix:/run/x.sock", None),
        ("", None),
    ],
)
def test_who_calls(text: str, peer: tuple[str, int] | None) -> None:
    assert peer_of(text) == peer


def test_nothing_of_grpc_is_loaded_where_it_is_off(two_classes: Packaged, store: Path) -> None:
    with server_process(two_classes, store) as server:
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()

    assert server.grpc_port is None
    assert "cygrpc" not in maps
    assert "protobuf" not in maps
