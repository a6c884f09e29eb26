"""A converged cluster is left alone: counted in the API server's audit log."""

import os
import time
from pathlib import Path

import pytest

from tests.support.live_cluster import OPERATOR_NAMESPACE, Namespace, audit_writes, kubectl

USER_AGENT = "serinus-operator/"


@pytest.mark.skipif("SERINUS_AUDIT_LOG" not in os.environ, reason="the cluster has no audit log")
def test_two_full_passes_over_a_converged_cluster_write_nothing(served: Namespace) -> None:
    log = Path(os.environ["SERINUS_AUDIT_LOG"])
    _until_quiet(log, served.name)
    start = log.stat().st_size
    for _ in range(2):
        kubectl(
            "-n", OPERATOR_NAMESPACE, "rollout", "restart", "deployment.apps/serinus",
        )  # fmt: skip
        kubectl(
            "-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment.apps/serinus",
            "--timeout=120s",
        )  # fmt: skip
        _until_quiet(log, served.name)
    with log.open() as lines:
        lines.seek(start)
        entries = lines.readlines()
    seen = [line for line in entries if USER_AGENT in line]
    writes = audit_writes(seen, USER_AGENT, served.name)

    assert seen, "the operator wasn't heard at all"
    assert [(it["verb"], it["requestURI"]) for it in writes] == []


def _until_quiet(
    log: Path, namespace: str, quiet_seconds: float = 10, timeout_seconds: float = 90
) -> None:
    """Wait until the operator has written nothing for a while."""
    deadline = time.monotonic() + timeout_seconds
    size, since = 0, time.monotonic()
    while time.monotonic() - since < quiet_seconds:
        with log.open() as lines:
            lines.seek(size)
            new = lines.readlines()
            size = lines.tell()
        if audit_writes((line for line in new if USER_AGENT in line), USER_AGENT, namespace):
            since = time.monotonic()
        assert time.monotonic() < deadline, "the operator never came to rest"
        time.sleep(0.5)
