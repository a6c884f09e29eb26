"""A client that says what it likes, byte by byte, and reads what comes back."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

DEADLINE_SECONDS = 20
_RECEIVED_AT_ONCE = 65536


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """An HTTP answer as it came: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class Wire:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send; a server that has closed is no failure here, reading tells."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def answer(self) -> WireAnswer | None:
        """The next answer, None if the connection ended instead."""
        while b"\r\n\r\n" not in self._received:
            if not self._receive():
                assert self._received == b"", f"half an answer: {self._received!r}"
                return None
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)
        }
        length = int(headers.get("content-length", "0"))
        while len(self._received) < length:
            assert self._receive(), f"an answer that breaks off after {self._received!r}"
        body, self._received = self._received[:length], self._received[length:]
        return WireAnswer(int(status_line.split()[1]), headers, body)

    def answers(self) -> list[WireAnswer]:
        """All answers until the connection ends."""
        return list(iter(self.answer, None))

    def _receive(self) -> bool:
        try:
            data = self.socket.recv(_RECEIVED_AT_ONCE)
        except ConnectionResetError:
            return False
        self._received += data
        return bool(data)


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    """A connection to the server on that port, closed in the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS) as sock:
        yield Wire(sock)


def request(
    path: str, body: bytes = b"", *headers: bytes, method: str = "POST", length: int | None = None
) -> bytes:
    """A request as bytes; `length` is what it says of its body, if it lies."""
    size = len(body) if length is None else length
    lines = [
        f"{method} {path} HTTP/1.1".encode(),
        b"host: pod",
        b"content-length: %d" % size,
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
