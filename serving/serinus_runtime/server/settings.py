"""Settings of the model server, read once from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from serinus_runtime.server.feedback_home import same_text

Value = TypeVar("Value")


class SettingsError(Exception):
    """A variable is missing or wrong; the text names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the pod was told.

    `peers` is the host name behind which all pods of the Deployment are found, `shadow` that of a
    new version that answers the same requests while it exists, `pod_ip` the address of this one;
    None: not told.
    Connections live `connection_max_age_seconds` (0: as long as the client likes) or
    `connection_max_requests` requests. On SIGTERM the server goes on answering for
    `drain_seconds`. `max_concurrency` requests are answered at once, `max_held_bytes` of bodies
    kept for them, and a request has `request_seconds` to come whole. `cohort_length_seconds` and
    `feedback_maturity_seconds` say how labels count.
    """

    deployment: str
    revision: str
    namespace: str
    pod_name: str
    pod_uid: str
    pod_ip: str | None
    peers: str | None
    shadow: str | None
    model_uri: str
    model_digest: str
    store: Path
    feedback_key_file: Path
    cohort_length_seconds: int
    feedback_maturity_seconds: float
    feedback_memory_bytes: int
    host: str
    port: int
    connection_max_age_seconds: float
    connection_max_requests: int
    drain_seconds: float
    max_body_bytes: int
    max_rows: int
    max_concurrency: int
    max_connections: int
    max_held_bytes: int
    request_seconds: float


def settings_from_environment(environment: Mapping[str, str]) -> Settings:
    """Settings of `SERINUS_*` variables; raises `SettingsError` naming the variable."""
    read = _Reader(environment)
    return Settings(
        deployment=read("DEPLOYMENT", str),
        revision=read("REVISION", _revision),
        namespace=read("NAMESPACE", str, "default"),
        pod_name=read("POD_NAME", str, ""),
        pod_uid=read("POD_UID", str, ""),
        pod_ip=read("POD_IP", _address, ""),
        peers=read("PEERS", _given, ""),
        shadow=read("SHADOW", _given, ""),
        model_uri=read("MODEL_URI", str),
        model_digest=read("MODEL_DIGEST", str),
        store=read("STORE", Path, "/store"),
        feedback_key_file=read("FEEDBACK_KEY_FILE", Path, "/etc/serinus/feedback/key"),
        cohort_length_seconds=read("COHORT_LENGTH_SECONDS", _at_least(int, 1), "300"),
        feedback_maturity_seconds=read("FEEDBACK_MATURITY_SECONDS", _at_least(float, 0), "0"),
        feedback_memory_bytes=read("FEEDBACK_MEMORY_BYTES", _at_least(int, 1), str(32 << 20)),
        host=read("HOST", str, "0.0.0.0"),  # noqa: S104 (a pod's only interface is its own)
        port=read("PORT", _at_least(int, 0), "8080"),
        connection_max_age_seconds=read("CONNECTION_MAX_AGE_SECONDS", _at_least(float, 0), "30"),
        connection_max_requests=read("CONNECTION_MAX_REQUESTS", _at_least(int, 1), "1000"),
        drain_seconds=read("DRAIN_SECONDS", _at_least(float, 0), "5"),
        max_body_bytes=read("MAX_BODY_BYTES", _at_least(int, 1), str(4 << 20)),
        max_rows=read("MAX_ROWS", _at_least(int, 1), "10000"),
        max_concurrency=read("MAX_CONCURRENCY", _at_least(int, 1), "256"),
        max_connections=read("MAX_CONNECTIONS", _at_least(int, 1), "1024"),
        max_held_bytes=read("MAX_HELD_BYTES", _at_least(int, 1), str(64 << 20)),
        request_seconds=read("REQUEST_SECONDS", _at_least(float, 0.1), "10"),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    environment: Mapping[str, str]

    def __call__(
        self, name: str, parse: Callable[[str], Value], default: str | None = None
    ) -> Value:
        variable = f"SERINUS_{name}"
        text = self.environment.get(variable, default)
        if text is None:
            raise SettingsError(f"{variable} is not set")
        try:
            return parse(text)
        except ValueError as error:
            raise SettingsError(f"{variable}: {error}, got {text!r}") from error


def _revision(text: str) -> str:
    if len(text) != 10 or any(digit not in "0123456789abcdef" for digit in text):
        raise ValueError("expected 10 hexadecimal digits")
    return text


def _given(text: str) -> str | None:
    return text or None


def _address(text: str) -> str | None:
    return same_text(text) if text else None


Number = TypeVar("Number", int, float)


def _at_least(kind: Callable[[str], Number], least: float) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        value = kind(text)
        if not value >= least:
            raise ValueError(f"expected at least {least}")
        return value

    return parse
