"""The operator installed by its chart, and a namespace for each test.

`hack/test cluster` raises the cluster and names the images in the environment.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import small_model
from tests.support.live_cluster import OPERATOR_NAMESPACE, Namespace, kubectl

CHART = Path(__file__).parents[2] / "charts" / "serinus"
INSTALL_TIMEOUT = "180s"


def image(name: str) -> str:
    """Reference of one of our images."""
    return os.environ[f"SERINUS_{name.upper()}_IMAGE"]


def install_chart(**values: str) -> None:
    """Install or upgrade the operator as a user does, and wait until it works."""
    settings = {
        "image.operator": image("operator"),
        "image.jobs": image("jobs"),
        "image.server": image("server"),
        "prometheus.scrapeInterval": "2s",
        "store.accessMode": "ReadWriteMany",
        **values,
    }
    if "SERINUS_PROMETHEUS_IMAGE" in os.environ:
        settings.setdefault("prometheus.image", os.environ["SERINUS_PROMETHEUS_IMAGE"])
    options = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    subprocess.run(
        [
            "helm", "upgrade", "--install", "serinus", str(CHART),
            "--namespace", OPERATOR_NAMESPACE, "--create-namespace",
            "--force-conflicts", "--reset-values", *options,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    for name in ("serinus", "serinus-prometheus"):
        kubectl(
            "-n", OPERATOR_NAMESPACE, "rollout", "status", f"deployment.apps/{name}",
            f"--timeout={INSTALL_TIMEOUT}", timeout_seconds=240,
        )  # fmt: skip


@pytest.fixture(scope="session")
def operator() -> None:
    """The operator, running."""
    install_chart()


@pytest.fixture
def namespace(operator: None, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace that enforces the restricted PodSecurity standard; gone after the test."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    name = f"t-{words[:50]}".strip("-")
    kubectl("delete", "namespace", name, "--ignore-not-found", timeout_seconds=180)
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield Namespace(name)
    if not request.config.getoption("--setup-show"):
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def data(namespace: Namespace) -> Namespace:
    """The namespace with the data server, ready."""
    namespace.create(
        *small_model.data_server(
            image("jobs"),
            {
                "points.csv": small_model.csv(),
                "narrow.csv": small_model.csv(seed=2),
                "broken.csv": small_model.csv(seed=3, scale=50.0),
            },
        )
    )
    namespace.kubectl("wait", "--for=condition=Ready", "pod/data", "--timeout=60s")
    return namespace


@pytest.fixture
def served(data: Namespace) -> Namespace:
    """The namespace with Deployment `points` serving version `first-1`; `second-1` is ready."""
    data.apply(
        small_model.feature_set(),
        small_model.training_job("first"),
        small_model.training_job("second", c="0.5"),
        small_model.deployment("points", "first-1"),
    )
    data.wait_for(
        "mdep", "points", "healthy", lambda it: it.get("status", {}).get("phase") == "Healthy", 180
    )
    data.wait_for(
        "mver", "second-1", "ready", lambda it: it.get("status", {}).get("phase") == "Ready"
    )
    return data


@pytest.fixture
def asked(served: Namespace) -> Namespace:
    """The same with a client that asks steadily."""
    served.apply(*small_model.traffic(image("jobs"), "points"))
    served.kubectl("wait", "--for=condition=Ready", "pod/traffic", "--timeout=60s")
    return served


def add_a_version_that_refuses(namespace: Namespace) -> None:
    """Train `third-1`, which refuses values that clients send, and wait until it may serve."""
    namespace.apply(*small_model.version_that_refuses("third"))
    namespace.wait_for(
        "mver", "third-1", "ready", lambda it: it.get("status", {}).get("phase") == "Ready"
    )
