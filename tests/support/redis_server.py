"""A real server that speaks the protocol of Redis: Valkey or Redis, on loopback, of one test."""

import functools
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.model_servers import free_port

DEADLINE_SECONDS = 20


@functools.cache
def installed() -> tuple[str, str]:
    """The server's name and program; installed where the machine has none."""
    command = [Path(__file__).parents[2] / "hack" / "cluster", "redis"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    name, path = said.stdout.split()
    return name, path


@dataclass
class RedisServer:
    """The server; it can be killed and started again, and then has forgotten everything."""

    folder: Path
    options: Sequence[str] = ()
    password: str | None = None
    tls: bool = False
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def client(self, **options: Any) -> redis.Redis:
        trusted = {"ssl_ca_certs": str(self.ca)} if self.tls else {}
        return redis.Redis.from_url(
            self.url,
            password=options.pop("password", self.password),
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=DEADLINE_SECONDS,
            **trusted,
            **options,
        )

    def start(self) -> None:
        name, program = installed()
        listening = ["--port", str(self.port)]
        if self.tls:
            self._make_certificates()
            listening = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            listening += ["--tls-cert-file", str(self.folder / "server.crt")]
            listening += ["--tls-key-file", str(self.folder / "server.key")]
            listening += ["--tls-ca-cert-file", str(self.ca)]
        secret = ["--requirepass", self.password] if self.password else []
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    name,
                    *("--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
                    *("--dir", str(self.folder)),
                    *listening,
                    *secret,
                    *self.options,
                ],
                executable=program,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)

    def stop_answering(self) -> None:
        """It holds its connections and says nothing."""
        assert self.process is not None
        os.kill(self.process.pid, 19)

    def answer_again(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, 18)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            try:
                with self.client() as client:
                    client.ping()
            except (redis.ConnectionError, redis.TimeoutError, OSError):
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "redis.log").read_text())

    def _make_certificates(self) -> None:
        if self.ca.exists():
            return
        new_key = [
            "openssl",
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ]
        _quiet(*new_key, "-x509", "-subj", "/CN=ca", "-days", "2", "-keyout", "ca.key", "-out",
               "ca.crt", folder=self.folder)  # fmt: skip
        _quiet(*new_key, "-subj", "/CN=redis", "-keyout", "server.key", "-out", "server.csr",
               folder=self.folder)  # fmt: skip
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1")
        _quiet("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
               "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.crt",
               folder=self.folder)  # fmt: skip


def _quiet(*command: str, folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@contextmanager
def a_redis_server(folder: Path, **options: Any) -> Iterator[RedisServer]:
    """A server that answers; gone when the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, **options)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            server.process.kill()
            server.process.wait()


def nobody() -> str:
    """The address of a server that isn't there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{sock.getsockname()[1]}"
