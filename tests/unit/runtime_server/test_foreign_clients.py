"""Clients of other model servers get our answers, as they are: nobody has to change one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.client_environment import client_python
from tests.support.flight_requests import TYPES
from tests.support.model_servers import Client, ServerProcess, server_process
from tests.support.trained_models import flights

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SCRIPTS = Path(__file__).parent / "foreign_clients"
ROWS = [row for row in flights(40, seed=21) if None not in row.values()][:7]
"""NumPy has no missing text or whole number, and so these clients haven't."""


def told_by(script: str, *urls: str, environment: str = "clients") -> dict[str, Any]:
    """What the client's program prints, as JSON, on its last line."""
    arguments = [urls[0], "flight-delay", json.dumps(ROWS), json.dumps(TYPES), *urls[1:]]
    ended = subprocess.run(
        [client_python(environment), SCRIPTS / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


@pytest.fixture
def expected(client: Client) -> dict[str, list[Any]]:
    answered = client.post("/predict", {"rows": ROWS}).json()["predictions"]
    return {
        "prediction": [item["value"] for item in answered],
        "probability": [item["probability"] for item in answered],
    }


def test_tritonclient_over_http(
    two_classes: Packaged, store: Path, expected: dict[str, list[Any]]
) -> None:
    with server_process(two_classes, store) as server:
        told = told_by("triton_http.py", server.url)

    assert told["answers"] == [expected] * 36
    assert "`distance`: expected a number (FP64, mi), got the text 'far'" in told["refused"]


def grpc_url(server: ServerProcess) -> str:
    return f"127.0.0.1:{server.grpc_port}"


def test_tritonclient_over_grpc(
    two_classes: Packaged, store: Path, expected: dict[str, list[Any]]
) -> None:
    with server_process(two_classes, store, GRPC_PORT="0") as server:
        told = told_by("triton_grpc.py", grpc_url(server))

    assert told["answers"] == [expected] * 2
    assert [status for status, _ in told["refused"]] == [
        "StatusCode.INVALID_ARGUMENT",
        "StatusCode.NOT_FOUND",
    ]
    assert "`distance`: expected a number (FP64, mi), got the text 'far'" in told["refused"][0][1]


def test_kserves_client_over_grpc(
    two_classes: Packaged, store: Path, expected: dict[str, list[Any]]
) -> None:
    with server_process(two_classes, store, GRPC_PORT="0") as server:
        told = told_by("kserve_grpc.py", grpc_url(server))

    assert told["answers"] == [expected] * 2


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="MLServer has no release for it")
def test_mlservers_command_and_codecs_over_both(
    two_classes: Packaged, store: Path, expected: dict[str, list[Any]]
) -> None:
    with server_process(two_classes, store, GRPC_PORT="0") as server:
        told = told_by("mlserver_infer.py", server.url, grpc_url(server), environment="mlserver")

    assert told["answers"] == [expected] * 3


def test_kserves_client_with_both_protocols(
    two_classes: Packaged, store: Path, expected: dict[str, list[Any]]
) -> None:
    with server_process(two_classes, store) as server:
        told = told_by("kserve_rest.py", server.url)

    assert told["answers"] == [{"prediction": expected["prediction"]}, expected, expected]
