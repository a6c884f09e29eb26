"""A collector of spans, called over OTLP/HTTP with binary Protobuf.

https://opentelemetry.io/docs/specs/otlp/#otlphttp It is where the platform says, and nowhere else:
redirects aren't followed, and no proxy of the environment is asked.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from serinus_runtime.server.tracing import Later, Refused, Sent, Taken

TIMEOUT_SECONDS = 5.0
"""How long the collector may take to connect, and for each part of its answer."""
TRACES_PATH = "/v1/traces"
_ANSWER_BYTES_MAX = 1 << 16
_HEADERS = {"content-type": "application/x-protobuf", "user-agent": "OTel-OTLP-Exporter-Serinus"}
_AGAIN = frozenset({429, 502, 503, 504})
_OK = range(200, 300)


class TraceCollector:
    """Brings messages to one collector; `rejected_of` reads in its answer what it left out."""

    def __init__(
        self,
        url: str,
        rejected_of: Callable[[bytes], int],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        parts = urlsplit(url)
        self._context = ssl.create_default_context() if parts.scheme == "https" else None
        self._address = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/") + TRACES_PATH
        self._rejected_of = rejected_of
        self._timeout_seconds = timeout_seconds

    def send(self, message: bytes) -> Sent:
        """Bring it a message; what goes wrong is told, and not raised."""
        connection = self._connection()
        try:
            connection.request("POST", self._path, message, _HEADERS)
            response = connection.getresponse()
            answer = response.read(_ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            return Later(
                f"the collector {self._address[0]} can't be reached: {type(error).__name__}"
            )
        finally:
            connection.close()
        return self._understood(response.status, response.getheader("retry-after"), answer)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=self._timeout_seconds)
        return http.client.HTTPSConnection(
            host, port, timeout=self._timeout_seconds, context=self._context
        )

    def _understood(self, status: int, retry_after: str | None, answer: bytes) -> Sent:
        because = f"the collector {self._address[0]} answered {status}"
        if status in _AGAIN:
            return Later(because, _seconds(retry_after))
        if status not in _OK:
            return Refused(because)
        try:
            return Taken(self._rejected_of(answer))
        except ValueError as error:
            return Refused(f"the collector {self._address[0]} can't be understood: {error}")


def _seconds(retry_after: str | None) -> float:
    is_number = retry_after is not None and retry_after.isascii() and retry_after.isdigit()
    return float(retry_after) if retry_after is not None and is_number else 0.0
