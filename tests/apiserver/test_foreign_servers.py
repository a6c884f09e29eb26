"""A BentoML service that knows nothing of Serinus is judged by its own counters.

Two of them run, as canary and stable; a real Prometheus scrapes them; the queries are those of a
rollout.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from serinus.analysis.cells import Arm
from serinus.analysis.counters import counter_series
from serinus.analysis.promql import rate_query
from serinus.analysis.samples import Query, QueryFailure
from serinus.analysis.server_profiles import PROFILES
from serinus.analysis.spec import AgainstMaximum, AnalysisContext, RateRule
from serinus.api.counters import MetricsProfile
from serinus.api.enums import MetricTemplate
from serinus.metrics.prometheus_reader import PrometheusReader, PrometheusServer
from tests.support.api_server import _free_ports as free_ports
from tests.support.prometheus_process import NAMESPACE, scraping

CANARY, STABLE = "c0ffee0000", "5ab1e00000"
SERVICE = """\
import bentoml


@bentoml.service(name="iris")
class Iris:
    @bentoml.api
    def classify(self, kind: str) -> str:
        if kind == "bad":
            raise RuntimeError("no")
        return "setosa"
"""
GIVEN = (PROFILES[MetricsProfile.BENTOML],)
ERRORS = RateRule("m", MetricTemplate.ERROR_RATE, (AgainstMaximum(0.1),), counters=GIVEN)
SLOW = RateRule(
    "m", MetricTemplate.SLOW_REQUESTS, (AgainstMaximum(0.1),), latency_seconds=10.0, counters=GIVEN
)


@contextmanager
def served(folder: Path, port: int) -> Iterator[None]:
    """BentoML's own server with the service, until it is ready."""
    folder.mkdir()
    (folder / "service.py").write_text(SERVICE)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", "service:Iris", f"--port={port}"],
            cwd=folder,
            env={
                **os.environ, "BENTOML_HOME": str(folder / "home"), "BENTOML_DO_NOT_TRACK": "True",
            },
            stdout=log,
            stderr=log,
        )  # fmt: skip
    try:
        ready(f"http://127.0.0.1:{port}/readyz", folder / "log")
        yield
    finally:
        process.terminate()
        process.wait(30)


def ready(url: str, log: Path) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=90)
    while datetime.now(UTC) < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(url, timeout=10).status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text())


def asked(port: int, *kinds: str) -> None:
    for kind in kinds:
        url = f"http://127.0.0.1:{port}/classify"
        answer = httpx.post(url, json={"kind": kind}, timeout=30)
        assert answer.status_code == (500 if kind == "bad" else 200)


async def counts(url: str, rule: RateRule) -> Mapping[Arm, tuple[float, float]]:
    """Bad and all requests of each version, by the newest samples."""
    now = datetime.now(UTC)
    context = AnalysisContext(
        NAMESPACE, "delay", CANARY, STABLE, (f"delay-{CANARY}", f"delay-{STABLE}"), now, now
    )
    query = Query("m", rate_query(rule, context, range_ms=60_000), now)
    async with PrometheusReader(PrometheusServer(url, None)) as reader:
        answer = (await reader.fetch([query]))[query]
    assert not isinstance(answer, QueryFailure), answer
    found = dict.fromkeys(Arm, (0.0, 0.0))
    for one in counter_series(answer, rule, context, first_cohort_seconds=0):
        bad, total = found[one.arm]
        value = one.samples[-1].value
        found[one.arm] = bad + one.role.bad * value, total + one.role.total * value
    return found


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where Prometheus is; canary failed 4 of 9 requests, stable 1 of 6."""
    folder = tmp_path_factory.mktemp("servers")
    canary, stable = free_ports(2)
    pods = {f"delay-{CANARY}-7d9-x": canary, f"delay-{STABLE}-5f6-y": stable}
    with (
        served(folder / "canary", canary),
        served(folder / "stable", stable),
        scraping(folder, pods) as url,
    ):
        asked(canary, *["good"] * 5, *["bad"] * 4)
        asked(stable, *["good"] * 5, "bad")
        yield url


EXPECTED = [
    (ERRORS, {Arm.CANARY: (4, 9), Arm.STABLE: (1, 6)}),
    (SLOW, {Arm.CANARY: (0, 9), Arm.STABLE: (0, 6)}),
]


@pytest.mark.parametrize(("rule", "expected"), EXPECTED, ids=["errors", "slow"])
async def test_bad_and_all_requests_of_both_versions_are_read(
    provider: str, rule: RateRule, expected: Mapping[Arm, tuple[float, float]]
) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    found = await counts(provider, rule)
    while found != expected and datetime.now(UTC) < deadline:
        found = await counts(provider, rule)

    assert found == expected
