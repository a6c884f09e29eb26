"""The README's demo, as a user starts it: five releases on real flights, unattended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.live_cluster import kubectl

HACK = Path(__file__).parents[2] / "hack"
DEMO_SECONDS = 900


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The demo's namespace; gone afterwards, however the demo ended."""
    monkeypatch.syspath_prepend(str(HACK))
    from flights_demo import objects

    yield objects.NAMESPACE
    kubectl("delete", "namespace", objects.NAMESPACE, "--ignore-not-found", timeout_seconds=180)


@contextmanager
def running(output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`hack/demo`, which is ended with all that it started."""
    with output.open("wb") as file:
        demo = subprocess.Popen(
            [str(HACK / "demo")],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield demo
        finally:
            if demo.poll() is None:
                os.killpg(demo.pid, signal.SIGKILL)
                demo.wait()


@pytest.mark.timeout(DEMO_SECONDS + 240)
def test_each_scene_ends_as_it_should_and_no_client_is_let_down(
    namespace: str, tmp_path: Path
) -> None:
    output = tmp_path / "demo.txt"
    with running(output) as demo:
        ended = demo.wait(DEMO_SECONDS)
    sys.stdout.write(output.read_text())

    assert ended == 0
