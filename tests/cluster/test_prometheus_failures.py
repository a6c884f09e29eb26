"""However Prometheus fails in the middle of a canary: nothing is decided, and all goes on after.

A proxy between the operator and the real Prometheus fails on demand. Each failure lasts longer than
the same rollout takes when nothing fails, which is measured first.
"""

import json
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from tests.cluster.conftest import image, install_chart
from tests.cluster.test_rollouts import (
    ROLLOUT_SECONDS,
    assert_no_client_was_let_down,
    canary_is_at,
    release,
    settled_on,
)
from tests.support import prometheus_faults as faults
from tests.support import small_model
from tests.support.live_cluster import (
    OPERATOR_NAMESPACE,
    Namespace,
    canary_of,
    kubectl,
    rejected_reasons,
    stable_model,
)

SCRIPT = Path(faults.__file__)
FAULTS = (faults.CLOCK_AHEAD, faults.CLOCK_BEHIND, faults.HANGING, *faults.ANSWERS)
QUESTIONS = 2
"""So often the operator has asked in vain before what came of it is looked at."""
ONE_STEP = {"canary": {"steps": [{"setWeight": 50}, {"analyze": {"minDuration": "4s"}}]}}


class Prometheus:
    """The proxy, through the API server."""

    def __init__(self, namespace: Namespace) -> None:
        self._path = f"/api/v1/namespaces/{namespace.name}/services/prometheus:80/proxy"

    def fails(self, fault: str) -> None:
        """From now on; `faults.NONE` for that it works again."""
        kubectl("get", "--raw", f"{self._path}/fault/{fault}")

    def asked(self, fault: str) -> int:
        """Questions that met the fault."""
        answer = json.loads(kubectl("get", "--raw", f"{self._path}/asked"))
        return int(answer["asked"].get(fault, 0))


@pytest.fixture
def prometheus(asked: Namespace) -> Iterator[Prometheus]:
    """The operator asks the proxy until the test ends."""
    address = f"http://serinus-prometheus.{OPERATOR_NAMESPACE}.svc:9090"
    asked.apply(
        *small_model.script_server("prometheus", image("jobs"), SCRIPT, address, port=faults.PORT)
    )
    asked.kubectl("wait", "--for=condition=Ready", "pod/prometheus", "--timeout=60s")
    operator = ["-n", OPERATOR_NAMESPACE]
    variable = f"SERINUS_PROMETHEUS_URL=http://prometheus.{asked.name}.svc"
    kubectl(*operator, "set", "env", "deployment.apps/serinus", variable)
    kubectl(*operator, "rollout", "status", "deployment.apps/serinus", "--timeout=60s")
    yield Prometheus(asked)
    install_chart()


def begun(namespace: Namespace, version: str) -> float:
    """The canary has traffic; when that was seen."""
    release(namespace, version)
    namespace.wait_for("mdep", "points", "in its canary", canary_is_at(0), ROLLOUT_SECONDS)
    return time.monotonic()


@pytest.mark.timeout(1200)
def test_nothing_is_decided_while_prometheus_fails(
    asked: Namespace, prometheus: Prometheus
) -> None:
    patch = json.dumps({"spec": {"strategy": ONE_STEP}})
    asked.kubectl("patch", "mdep", "points", "--type=merge", "-p", patch)
    versions = cycle(["second-1", "first-1"])
    version = next(versions)
    since = begun(asked, version)
    asked.wait_for("mdep", "points", "promoted", settled_on(version), ROLLOUT_SECONDS)
    undisturbed_seconds = time.monotonic() - since

    for fault in FAULTS:
        before, version = version, next(versions)
        since = begun(asked, version)
        met = prometheus.asked(fault)
        prometheus.fails(fault)
        asked.wait_until(
            f"{fault}: asked in vain, for longer than a rollout takes",
            lambda fault=fault, met=met, since=since: (
                prometheus.asked(fault) >= met + QUESTIONS
                and time.monotonic() > since + 1.5 * undisturbed_seconds
            ),
        )
        found = asked.get("mdep", "points")
        assert canary_of(found), fault
        assert stable_model(found) == before, fault
        assert rejected_reasons(found) == [], fault
        prometheus.fails(faults.NONE)
        asked.wait_for("mdep", "points", f"promoted after {fault}", settled_on(version), 180)
    assert_no_client_was_let_down(asked)
