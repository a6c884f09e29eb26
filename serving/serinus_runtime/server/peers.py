"""The other pods of the Deployment: who is there, and how labels get to them.

A headless Service's name leads to the addresses of all pods; no Kubernetes credentials are needed.
Requests to other pods bear a seal made with the key that all pods share: clients can't claim to be
a pod.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from serinus_runtime.server.feedback_home import same_text

PATH = "/feedback"
SEAL_HEADER = "serinus-forwarded"
ACCEPTED = "accepted"
"""What an answer says under the same name where the seal was right."""

VIEW_SECONDS = 5.0
"""How long it is believed who is there."""

AVOIDED_SECONDS = 10.0
"""How long a pod that couldn't be reached isn't tried again."""

_LOOKUP_SECONDS = 2.0
_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_THREADS = 4
_ANSWER_BYTES_MAX = 64 << 10


class UnreachableError(Exception):
    """The pod wasn't there to be asked; nothing was counted."""


class NoAnswerError(Exception):
    """The pod was asked and didn't answer: it may have counted, it may not have."""


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What another pod said. `accepted`: it took the request as one from a pod."""

    status: int
    body: bytes
    accepted: bool


class Peers(Protocol):
    """The pods of the Deployment."""

    own: str
    """Address of this pod."""

    async def addresses(self) -> tuple[str, ...]:
        """Addresses of all pods, of this one in any case."""

    async def ask(self, address: str, body: bytes) -> PeerAnswer:
        """Send labels to another pod; raises `UnreachableError` and `NoAnswerError`."""

    def vouches(self, body: bytes, seal: bytes) -> bool:
        """Whether a request with that seal comes from a pod, and is for this one."""

    def close(self) -> None:
        """Start no more requests."""


@dataclass(frozen=True, slots=True)
class ForwardSeal:
    """Shows that a request comes from a pod of the Deployment, and for which pod it is.

    Whoever gets to see one can't make another pod count the same labels with it.
    """

    key: bytes

    def of(self, address: str, body: bytes) -> str:
        """The seal of a body for the pod with that address."""
        content = b"forwarded\n%b\n%b" % (address.encode(), body)
        return hmac.new(self.key, content, hashlib.sha256).hexdigest()

    def fits(self, address: str, body: bytes, seal: bytes) -> bool:
        """Whether somebody with the key made it."""
        return hmac.compare_digest(self.of(address, body).encode(), seal)


Lookup: TypeAlias = Callable[[], Awaitable[Sequence[str]]]
"""Addresses behind the Service's name; raises `OSError`, of which `socket.gaierror` is one."""


def dns_lookup(names: str, port: int) -> Lookup:
    """Look up host names or addresses, separated by commas, now and whenever it is asked for."""

    async def look_up() -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await asyncio.gather(
            *(loop.getaddrinfo(name, port, type=socket.SOCK_STREAM) for name in names.split(","))
        )
        return [str(entry[4][0]) for entries in found for entry in entries]

    return look_up


async def looked_up(lookup: Lookup, before: Sequence[str]) -> Sequence[str]:
    """What a lookup says; where nobody can tell now, what it said before."""
    try:
        return await lookup()
    except socket.gaierror as error:
        return before if error.errno == socket.EAI_AGAIN else ()
    except OSError:  # of which `TimeoutError` is one
        return before


@dataclass(slots=True)
class ServicePeers:
    """Pods found by a `lookup`, asked over HTTP."""

    own: str
    port: int
    lookup: Lookup
    seal: ForwardSeal
    monotonic: Callable[[], float] = time.monotonic
    _seen: tuple[str, ...] = ()
    _believed_until: float = 0.0
    _avoided: dict[str, float] = field(default_factory=dict)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, thread_name_prefix="peers")
    )

    async def addresses(self) -> tuple[str, ...]:
        """Addresses that are believed, but for pods that couldn't be reached a moment ago."""
        async with self._looking:
            if self.monotonic() >= self._believed_until:
                self._seen = await self._found()
                self._believed_until = self.monotonic() + VIEW_SECONDS
        now = self.monotonic()
        self._avoided = {one: until for one, until in self._avoided.items() if until > now}
        return (self.own, *(one for one in self._seen if one not in self._avoided))

    async def _found(self) -> tuple[str, ...]:
        """Who is there; where nobody can tell, who was there."""
        try:
            async with asyncio.timeout(_LOOKUP_SECONDS):
                found = await looked_up(self.lookup, self._seen)
        except TimeoutError:
            return self._seen
        return tuple(sorted({same_text(address) for address in found} - {self.own}))

    async def ask(self, address: str, body: bytes) -> PeerAnswer:
        """Send labels to another pod; raises `UnreachableError` and `NoAnswerError`."""
        loop = asyncio.get_running_loop()
        headers = {SEAL_HEADER: self.seal.of(address, body), "connection": "close"}
        try:
            return await loop.run_in_executor(
                self._threads, _asked, address, self.port, body, headers
            )
        except UnreachableError:
            self._avoided[address] = self.monotonic() + AVOIDED_SECONDS
            raise

    def vouches(self, body: bytes, seal: bytes) -> bool:
        """Whether a request with that seal comes from a pod, and is for this one."""
        return self.seal.fits(self.own, body, seal)

    def close(self) -> None:
        """Start no more requests."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _asked(address: str, port: int, body: bytes, headers: Mapping[str, str]) -> PeerAnswer:
    connection = http.client.HTTPConnection(address, port, timeout=_CONNECT_SECONDS)
    try:
        connection.connect()
    except OSError as error:
        raise UnreachableError(str(error)) from error
    try:
        connection.sock.settimeout(_ANSWER_SECONDS)
        connection.request("POST", PATH, body, dict(headers))
        answer = connection.getresponse()
        length = answer.length
        content = answer.read(_ANSWER_BYTES_MAX)
        if length != len(content):
            raise NoAnswerError("the answer breaks off")
        return PeerAnswer(answer.status, content, answer.getheader(SEAL_HEADER) == ACCEPTED)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(str(error)) from error
    finally:
        connection.close()
