"""One API server for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support import chart as helm_chart
from tests.support.api_server import ApiServer, running_api_server


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that serves our four kinds."""
    with running_api_server(tmp_path_factory.mktemp("api-server")) as server:
        server.install_crds()
        yield server


@pytest.fixture(scope="session")
def chart(api_server: ApiServer) -> None:
    """The chart's roles for people and its admission policies; they take effect within seconds."""
    helm_chart.put(api_server, helm_chart.rendered(only=("personas", "admission-policy")))
