"""Health checks: each answers None when all is well, else what is wrong."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from native_cluster import layout
from native_cluster.commands import run
from native_cluster.terminal import ClusterError

TIMEOUT_SECONDS = 2.0


def answers(url: str) -> Callable[[], str | None]:
    """The address answers 200. Whose certificate it shows isn't the point here."""

    def check() -> str | None:
        parts = urlsplit(url)
        connection = (
            http.client.HTTPSConnection(
                parts.netloc, timeout=TIMEOUT_SECONDS, context=_unverified_tls()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
        )
        try:
            connection.request("GET", parts.path)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            return f"{url}: {error}"
        else:
            return None if answer.status == http.HTTPStatus.OK else f"{url}: {answer.status}"
        finally:
            connection.close()

    return check


def containerd_is_well() -> str | None:
    """Containerd answers, and its part for Kubernetes is loaded."""
    if not layout.CONTAINERD_SOCKET.exists():
        return f"{layout.CONTAINERD_SOCKET} isn't there"
    ctr = ["ctr", "--address", str(layout.CONTAINERD_SOCKET)]
    try:
        plugins = run("containerd", [*ctr, "plugins", "list"], timeout_seconds=5)
    except ClusterError as error:
        return str(error)
    return cri_problem(plugins)


def cri_problem(plugins: str) -> str | None:
    """Whether the listing of containerd's plugins has the one for Kubernetes, and how it is."""
    for line in plugins.splitlines():
        words = line.split()
        if words[1:2] == ["cri"]:
            return None if words[-1] == "ok" else f"its CRI plugin: {words[-1]}"
    return "it has no CRI plugin"


def _unverified_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
