"""Who is there is looked up now and then; who isn't is told from who doesn't answer."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import pytest

from serinus_runtime.server.peers import (
    AVOIDED_SECONDS,
    VIEW_SECONDS,
    ForwardSeal,
    NoAnswerError,
    ServicePeers,
    UnreachableError,
    dns_lookup,
)

SEAL = ForwardSeal(b"k" * 32)
OWN = "10.0.0.1"
LABELS = b'{"id": 1}'


@dataclass
class Names:
    """A name server, and the time."""

    found: Sequence[str] = ()
    failure: OSError | None = None
    now: float = 0.0
    asked: int = 0

    async def look_up(self) -> Sequence[str]:
        self.asked += 1
        if self.failure:
            raise self.failure
        return self.found

    def monotonic(self) -> float:
        return self.now


def peers_of(names: Names, port: int = 1) -> ServicePeers:
    return ServicePeers(OWN, port, names.look_up, SEAL, names.monotonic)


async def test_all_pods_are_seen_and_this_one_in_any_case() -> None:
    names = Names(found=["10.0.0.3", "10.0.0.2", "10.0.0.3"])

    assert await peers_of(names).addresses() == (OWN, "10.0.0.2", "10.0.0.3")


async def test_a_view_is_believed_for_a_moment() -> None:
    names = Names(found=["10.0.0.2"])
    peers = peers_of(names)
    await peers.addresses()

    names.found, names.now = ["10.0.0.3"], VIEW_SECONDS - 0.1
    before = await peers.addresses()
    names.now = VIEW_SECONDS
    after = await peers.addresses()

    assert (before, after) == ((OWN, "10.0.0.2"), (OWN, "10.0.0.3"))
    assert names.asked == 2


@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "try again"), (OWN, "10.0.0.2")),
        (TimeoutError(), (OWN, "10.0.0.2")),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), (OWN,)),
    ],
)
async def test_where_names_cant_be_looked_up_the_last_view_holds_unless_the_name_is_gone(
    failure: OSError, seen: tuple[str, ...]
) -> None:
    names = Names(found=["10.0.0.2"])
    peers = peers_of(names)
    await peers.addresses()

    names.failure, names.now = failure, VIEW_SECONDS

    assert await peers.addresses() == seen


async def test_addresses_are_looked_up_by_name_and_number() -> None:
    assert set(await dns_lookup("localhost,127.0.0.2", 80)()) >= {"127.0.0.2"}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_a_pod_that_isnt_there_is_left_alone_for_a_while() -> None:
    names = Names(found=["127.0.0.1", "127.0.0.2"])
    peers = peers_of(names, free_port())

    with pytest.raises(UnreachableError):
        await peers.ask("127.0.0.1", b"{}")

    assert await peers.addresses() == (OWN, "127.0.0.2")
    names.now = AVOIDED_SECONDS
    assert await peers.addresses() == (OWN, "127.0.0.1", "127.0.0.2")
    peers.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        yield sock


class OneAnswer(threading.Thread):
    """Answers one request with these bytes and closes."""

    def __init__(self, listener: socket.socket, answer: bytes) -> None:
        super().__init__(daemon=True)
        self._listener = listener
        self._answer = answer
        self.received = b""
        self.start()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while not self.received.endswith(b"}"):
                self.received += connection.recv(65536)
            connection.sendall(self._answer)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-le", b"nonsense\r\n\r\n"])
async def test_a_pod_that_breaks_off_may_have_counted(
    listener: socket.socket, answer: bytes
) -> None:
    peers = peers_of(Names(), listener.getsockname()[1])
    OneAnswer(listener, answer)

    with pytest.raises(NoAnswerError):
        await peers.ask("127.0.0.1", b"{}")

    assert peers._avoided == {}
    peers.close()


async def test_a_pod_gets_the_labels_with_a_seal(listener: socket.socket) -> None:
    peers = peers_of(Names(), listener.getsockname()[1])
    pod = OneAnswer(
        listener,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserinus-forwarded: accepted\r\n\r\n{}",
    )

    answer = await peers.ask("127.0.0.1", LABELS)
    pod.join(10)
    peers.close()

    assert (answer.status, answer.body, answer.accepted) == (200, b"{}", True)
    assert pod.received.startswith(b"POST /feedback HTTP/1.1\r\n")
    assert f"serinus-forwarded: {SEAL.of('127.0.0.1', LABELS)}".encode() in pod.received
    assert pod.received.endswith(b"\r\n\r\n" + LABELS)


def test_a_seal_fits_its_pod_its_body_and_its_key_only() -> None:
    seal = SEAL.of(OWN, b"{}").encode()

    assert SEAL.fits(OWN, b"{}", seal)
    assert not SEAL.fits("10.0.0.2", b"{}", seal)
    assert not SEAL.fits(OWN, b"{ }", seal)
    assert not ForwardSeal(b"x" * 32).fits(OWN, b"{}", seal)
    assert not SEAL.fits(OWN, b"{}", b"\xff")
    assert not SEAL.fits(OWN, b"{}", b"")
