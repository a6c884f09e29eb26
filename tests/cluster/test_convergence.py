"""A converged cluster is left alone: counted in the API server's audit log."""

import os
import time
from pathlib import Path

import pytest

from tests.support.audit_log import AuditLog
from tests.support.live_cluster import OPERATOR_NAMESPACE, Namespace, kubectl


@pytest.mark.skipif("SERINUS_AUDIT_LOG" not in os.environ, reason="the cluster has no audit log")
def test_two_full_passes_over_a_converged_cluster_write_nothing(served: Namespace) -> None:
    with AuditLog(Path(os.environ["SERINUS_AUDIT_LOG"])) as log:
        _until_quiet(log, served.name)
    with AuditLog(Path(os.environ["SERINUS_AUDIT_LOG"])) as log:
        for _ in range(2):
            kubectl(
                "-n", OPERATOR_NAMESPACE, "rollout", "restart", "deployment.apps/serinus",
            )  # fmt: skip
            kubectl(
                "-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment.apps/serinus",
                "--timeout=120s",
            )  # fmt: skip
            _until_quiet(log, served.name)

        assert log.operator_entries(), "the operator wasn't heard at all"
        writes = log.operator_writes(served.name)
        assert [(it["verb"], it["requestURI"]) for it in writes] == []


def _until_quiet(
    log: AuditLog, namespace: str, quiet_seconds: float = 10, timeout_seconds: float = 90
) -> None:
    """Wait until the operator has written nothing for a while."""
    deadline = time.monotonic() + timeout_seconds
    writes, since = len(log.operator_writes(namespace)), time.monotonic()
    while time.monotonic() - since < quiet_seconds:
        if len(log.operator_writes(namespace)) > writes:
            writes, since = len(log.operator_writes(namespace)), time.monotonic()
        assert time.monotonic() < deadline, "the operator never came to rest"
        time.sleep(0.5)
