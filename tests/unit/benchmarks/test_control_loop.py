"""The parts of the control loop's benchmark that need no API server."""

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from benchmarks.control_loop.changes import Changes, Sent, Sightings
from benchmarks.control_loop.population import deployment, model_version, verified
from benchmarks.control_loop.processes import REQUESTS, Scrape, running
from benchmarks.control_loop.run import figures
from benchmarks.control_loop.story import Measurements, Start
from serinus.api.deployment import Deployment
from serinus.api.modelversion import ModelVersion
from serinus.reconcile import modelversion
from serinus.reconcile.snapshot import ModelVersionSnapshot
from tests.support.run_world import NOW, SETTINGS

START = Start(seconds=12, cpu_seconds=10, memory_mb=200, peak_memory_mb=220)
CHANGES = Changes(50, 0.1, 0.5, 0.01, 0.05)


def test_the_objects_are_what_users_would_write() -> None:
    version = ModelVersion.model_validate(model_version(7))
    serving = Deployment.model_validate(deployment(7))

    assert serving.spec.model.version_ref is not None
    assert serving.spec.model.version_ref.name == version.metadata.name


def test_a_version_that_is_said_to_be_verified_makes_no_job() -> None:
    """Else thousands of Jobs would have to be played."""
    body = model_version(7)
    body["metadata"] |= {"uid": "u", "resourceVersion": "1", "generation": 1}
    decision = modelversion.reconcile(ModelVersionSnapshot({**body, **verified(7)}, SETTINGS), NOW)

    assert decision.desired == ()
    assert decision.status is not None
    assert decision.status["phase"] == "Ready"


def test_writes_are_told_without_those_for_the_lease() -> None:
    def requests(operation: str, kind: str) -> tuple[str, frozenset[tuple[str, str]]]:
        return REQUESTS, frozenset({"operation": operation, "kind": kind, "code": "200"}.items())

    scrape = Scrape(
        {
            requests("list", "Pod"): 11,
            requests("replace", "Lease"): 30,
            requests("replace", "Deployment"): 2,
            requests("create", "Service"): 1,
        }
    )

    assert scrape.writes() == 3
    assert scrape.total(REQUESTS, operation="list") == 11


def test_a_process_is_measured_while_it_runs_and_ended_afterwards(tmp_path: Path) -> None:
    script = "import time; x = b'x' * 50_000_000; print('up', flush=True); time.sleep(60)"
    with running([sys.executable, "-c", script], tmp_path / "log") as measured:
        while "up" not in measured.log.read_text():
            time.sleep(0.01)
        assert measured.is_running
        assert measured.cpu_seconds() >= 0
        assert 50 < measured.memory_mb() <= measured.peak_memory_mb() < 500

    assert not measured.is_running


async def test_a_change_counts_as_seen_when_it_or_one_that_overtook_it_comes_by() -> None:
    async def watched() -> AsyncIterator[dict[str, Any]]:
        for deadline in (700, 702):
            yield {"metadata": {"name": "a"}, "spec": {"progressDeadlineSeconds": deadline}}

    sightings, began = Sightings(), time.monotonic()
    await sightings.take(watched(), lambda body: str(body["metadata"]["name"]))
    first, overtaken, missing = (Sent("a", deadline, began) for deadline in (700, 701, 703))

    assert sightings.seconds(first) is not None
    assert sightings.seconds(overtaken) is not None
    assert sightings.seconds(missing) is None
    assert sightings.seconds(Sent("b", 700, began)) is None


def test_what_is_promised_stands_beside_what_was_measured() -> None:
    told = figures(Measurements(START, START, 0, 800, CHANGES))

    assert all(one.reached for one in told)
    assert {one.what: one.at_most for one in told if one.at_most is not None} == {
        "cold start to first full pass": 30,
        "memory at most": 300,
        "writes in a resync": 0,
        "50 changes/s, applied: p50": 0.3,
        "p99": 1,
    }
    assert [one.what for one in told if one.at_least is not None] == ["events a second of CPU"]
