"""One API server for all tests of this folder, and operators with the rights of the chart."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import chart as helm_chart
from tests.support.api_server import ApiServer, running_api_server
from tests.support.operator_process import Machine, installed


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that serves our four kinds and those of the Gateway API."""
    with running_api_server(tmp_path_factory.mktemp("api-server")) as server:
        server.install_crds()
        server.install_gateway_api()
        yield server


@pytest.fixture(scope="session")
def chart(api_server: ApiServer) -> None:
    """The chart's roles for people and its admission policies; they take effect within seconds."""
    helm_chart.put(api_server, helm_chart.rendered(only=("personas", "admission-policy")))


@pytest.fixture
def namespace(api_server: ApiServer) -> str:
    """A namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    answer = api_server.post("/api/v1/namespaces", {"metadata": {"name": name}})
    assert answer.accepted, answer.message
    return name


@pytest.fixture
def machine(api_server: ApiServer, tmp_path: Path, namespace: str) -> Iterator[Machine]:
    """Starts operators that watch the test's namespace, by rights in it alone that suffice."""
    with installed(api_server, tmp_path, namespace) as found:
        yield found
    assert not [request for request in found.refused() if f"/{namespace}/" in request]
