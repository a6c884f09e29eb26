"""Settings of the model server, read once from the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from serinus.api.ab_test_document import DOCUMENT_KEY, MOUNT_PATH
from serinus.api.label_scores import LabelScore, canonical_decimal, parsed_scores
from serinus_runtime.online.server_rows import Reader
from serinus_runtime.server.feedback_home import same_text

Value = TypeVar("Value")


class SettingsError(Exception):
    """A variable is missing or wrong; the text names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the pod was told.

    `peers` is the host name behind which all pods of the Deployment are found, `shadow` that of a
    new version that answers the same requests while it exists, `ab_test` that of a new version that
    answers the units of an A/B test which `ab_test_file` tells of, `pod_ip` the address of this
    one; None: not told. `workers` processes answer; limits are those of all together.
    `grpc_port` is that of the Open Inference Protocol over gRPC; None: it isn't spoken.
    Connections live `connection_max_age_seconds` (0: as long as the client likes) or
    `connection_max_requests` requests. On SIGTERM the server goes on answering for
    `drain_seconds`. `max_concurrency` requests are answered at once, `max_held_bytes` of bodies
    kept for them. A request has `request_seconds` to come whole, and its answer `answer_seconds`
    from then on. `cohort_length_seconds` and `feedback_maturity_seconds` say how labels count,
    `feedback_wrong_beyond` (None: nobody said it) and `feedback_scores` how they are judged.

    With `access_log` each request is told of. `traces_url` is the collector of spans, None: there
    are none; of requests that come with no trace `traces_sample_ratio` are in the sample.
    `prediction_log` is the folder in which predictions are logged, None: nowhere. How many is said
    by `prediction_log_policy`, a file that may change; rows wait for at most
    `prediction_log_seconds` and in at most `prediction_log_bytes` of memory.
    `online_features` are the FeatureSets whose newest values complete requests, `online_readers`
    who reads those of each on a server.
    """

    deployment: str
    revision: str
    namespace: str
    pod_name: str
    pod_uid: str
    pod_ip: str | None
    peers: str | None
    shadow: str | None
    ab_test: str | None
    ab_test_file: Path
    model_uri: str
    model_digest: str
    store: Path
    feedback_key_file: Path
    cohort_length_seconds: int
    feedback_maturity_seconds: float
    feedback_memory_bytes: int
    feedback_wrong_beyond: str | None
    feedback_scores: tuple[LabelScore, ...]
    host: str
    port: int
    workers: int
    grpc_port: int | None
    connection_max_age_seconds: float
    connection_max_requests: int
    drain_seconds: float
    max_body_bytes: int
    max_rows: int
    max_concurrency: int
    max_connections: int
    max_held_bytes: int
    request_seconds: float
    answer_seconds: float
    access_log: bool
    traces_url: str | None
    traces_sample_ratio: float
    prediction_log: Path | None
    prediction_log_policy: Path
    prediction_log_seconds: float
    prediction_log_bytes: int
    online_features: tuple[str, ...]
    online_readers: tuple[Reader, ...]


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
        ab_test=read("AB_TEST", _given, ""),
        ab_test_file=read("AB_TEST_FILE", Path, f"{MOUNT_PATH}/{DOCUMENT_KEY}"),
        model_uri=read("MODEL_URI", str),
        model_digest=read("MODEL_DIGEST", str),
        store=read("STORE", Path, "/store"),
        feedback_key_file=read("FEEDBACK_KEY_FILE", Path, "/etc/serinus/feedback/key"),
        cohort_length_seconds=read("COHORT_LENGTH_SECONDS", _at_least(int, 1), "300"),
        feedback_maturity_seconds=read("FEEDBACK_MATURITY_SECONDS", _at_least(float, 0), "0"),
        feedback_memory_bytes=read("FEEDBACK_MEMORY_BYTES", _at_least(int, 1), str(32 << 20)),
        feedback_wrong_beyond=read("FEEDBACK_WRONG_BEYOND", _decimal, ""),
        feedback_scores=read("FEEDBACK_SCORES", parsed_scores, "[]"),
        host=read("HOST", str, "0.0.0.0"),  # noqa: S104 (a pod's only interface is its own)
        port=read("PORT", _at_least(int, 0), "8080"),
        workers=read("WORKERS", _at_least(int, 1), "1"),
        grpc_port=read("GRPC_PORT", _port, ""),
        connection_max_age_seconds=read("CONNECTION_MAX_AGE_SECONDS", _at_least(float, 0), "30"),
        connection_max_requests=read("CONNECTION_MAX_REQUESTS", _at_least(int, 1), "1000"),
        drain_seconds=read("DRAIN_SECONDS", _at_least(float, 0), "5"),
        max_body_bytes=read("MAX_BODY_BYTES", _at_least(int, 1), str(4 << 20)),
        max_rows=read("MAX_ROWS", _at_least(int, 1), "10000"),
        max_concurrency=read("MAX_CONCURRENCY", _at_least(int, 1), "256"),
        max_connections=read("MAX_CONNECTIONS", _at_least(int, 1), "1024"),
        max_held_bytes=read("MAX_HELD_BYTES", _at_least(int, 1), str(64 << 20)),
        request_seconds=read("REQUEST_SECONDS", _at_least(float, 0.1), "10"),
        answer_seconds=read("ANSWER_SECONDS", _at_least(float, 0.001), "20"),
        access_log=read("ACCESS_LOG", _truth, "false"),
        traces_url=read("TRACES_URL", _url, ""),
        traces_sample_ratio=read("TRACES_SAMPLE_RATIO", _ratio, "0"),
        prediction_log=read("PREDICTION_LOG", _folder, ""),
        prediction_log_policy=read(
            "PREDICTION_LOG_POLICY", Path, "/etc/serinus/prediction-log/policy.json"
        ),
        prediction_log_seconds=read("PREDICTION_LOG_SECONDS", _at_least(float, 0), "60"),
        prediction_log_bytes=read("PREDICTION_LOG_BYTES", _at_least(int, 1), str(32 << 20)),
        online_features=(online := read("ONLINE_FEATURES", _names, "")),
        online_readers=tuple(
            Reader(
                read(f"ONLINE_USERNAME_{position}", _given, ""),
                read(f"ONLINE_PASSWORD_{position}", _secret, ""),
            )
            for position in range(len(online))
        ),
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


def _secret(text: str) -> str | None:
    """What was made by `echo` has an end of line that is no part of it."""
    return text.strip() or None


def _decimal(text: str) -> str | None:
    return canonical_decimal(text) if text else None


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(",")) if text else ()
    if not all(re.fullmatch(r"[a-z0-9][-a-z0-9]*", name) for name in names):
        raise ValueError("expected names of FeatureSets with a comma in between")
    return names


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _folder(text: str) -> Path | None:
    return Path(text) if text else None


def _address(text: str) -> str | None:
    return same_text(text) if text else None


def _url(text: str) -> str | None:
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("expected http://HOST:PORT or https://HOST:PORT")
    return text


def _ratio(text: str) -> float:
    ratio = float(text)
    if not 0 <= ratio <= 1:
        raise ValueError("expected 0 to 1")
    return ratio


def _port(text: str) -> int | None:
    return _at_least(int, 0)(text) if text else None


Number = TypeVar("Number", int, float)


def _at_least(kind: Callable[[str], Number], least: float) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        value = kind(text)
        if not value >= least:
            raise ValueError(f"expected at least {least}")
        return value

    return parse
