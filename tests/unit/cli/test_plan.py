"""Before a release: what it will take and what it can tell, from figures or from Prometheus."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from serinus.analysis.samples import Query
from serinus.api.ab_test import AbTest
from serinus.cli.errors import ClusterError, CommandError, ExitCode
from serinus.cli.plan import stages_of, stages_of_a_test
from serinus.cli.plan_view import duration
from serinus.rollout.steps import (
    Analyze,
    Pause,
    SetWeight,
    Shadow,
    parsed_steps,
    steps_of_a_test,
)
from tests.support.command_line import NOW, STABLE, FakeCluster, commanded, deployment
from tests.support.recorded_counters import RecordedCounters, labels, moment

pytestmark = pytest.mark.slow

MANIFEST = """\
apiVersion: serinus.dev/v1alpha1
kind: Deployment
metadata: {name: flight-delay, namespace: flights}
spec:
  model: {versionRef: {name: boosted-1}}
  replicas: 4
  strategy: {canary: {stepWeights: [20, 50]}}
  analysis:
    varianceInflation: "1"
    metrics:
    - {name: errors, template: error-rate, compareTo: stable}
    - {name: queue, prometheus: {query: up}, max: "1"}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "deployment.yaml"
    path.write_text(MANIFEST)
    return path


def test_steps_are_planned_with_the_weights_that_whole_pods_give() -> None:
    steps = (SetWeight(20), Analyze(50, 5, 1800, last=False), Pause(60), Pause(None))

    first, analysis, pause, person = stages_of(steps, replicas=4)

    assert [stage.canary_share for stage in (first, analysis)] == [0.2, 0.2]
    assert (analysis.min_samples, analysis.min_seconds, analysis.max_seconds) == (50, 5, 1800)
    assert (pause.min_seconds, person.min_seconds) == (60, 0)


def test_in_a_test_both_get_their_parts_of_the_units_that_take_part() -> None:
    layer = {"name": "ranking", "fromPercent": 0, "toPercent": 40}
    test = AbTest.model_validate(
        {"unit": {"header": "X-User-Id"}, "canaryPercent": 25, "layer": layer, "minSamples": 700}
    )
    stages = stages_of(parsed_steps(steps_of_a_test(test)), replicas=4)

    (stage,) = stages_of_a_test(test, stages)

    assert stage.canary_share == pytest.approx(0.1)
    assert stage.stable_share == pytest.approx(0.3)
    assert (stage.min_samples, stage.waits_for_safety) == (700, True)


def test_in_a_shadow_both_get_all_requests() -> None:
    steps = (Shadow(500, 60, 1800, last=False), SetWeight(50))

    shadow, weight = stages_of(steps, replicas=4)

    assert (shadow.canary_share, shadow.stable_share) == (1.0, 1.0)
    assert (shadow.min_samples, shadow.min_seconds, shadow.max_seconds) == (500, 60, 1800)
    assert (weight.canary_share, weight.stable_share) == (0.5, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45, "45s"), (119.2, "2m"), (600, "10m"), (4800, "80m"), (7200, "2h"), (7260, "2h1m")],
)
def test_durations_are_what_a_manifest_takes(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_figures_that_are_given_need_no_cluster(manifest: Path, golden) -> None:
    code, text = commanded(
        f"plan -f {manifest} --requests-per-second 50 --rate errors=0.01", FakeCluster([])
    )

    assert code == ExitCode.OK
    golden("cli/plan.txt", text)


def test_a_release_that_can_t_be_decided_in_its_time_is_unsettled(manifest: Path) -> None:
    code, text = commanded(
        f"plan -f {manifest} --requests-per-second 0.1 --rate errors=0.01", FakeCluster([])
    )

    assert code == ExitCode.UNSETTLED
    assert "not over in its time" in text
    assert "`maxDuration: " in text


def test_a_switch_shows_no_user_anything_before_it_so_nothing_is_planned(manifest: Path) -> None:
    canary = "{canary: {stepWeights: [20, 50]}}"
    manifest.write_text(MANIFEST.replace(canary, "{blueGreen: {prePromotionAnalysis: {}}}"))

    code, text = commanded(f"plan -f {manifest}", FakeCluster([]))

    assert code == ExitCode.OK
    assert "is released by a switch" in text


def prometheus() -> RecordedCounters:
    """An hour of 4 pods with 10 requests a second each, of which 1 in 100 fails."""
    recorded, began = RecordedCounters(), NOW.timestamp() - 4200
    for second in range(0, 4201, 60):
        for pod in range(4):
            own = {
                "pod": f"flight-delay-{STABLE}-{pod}",
                "revision": STABLE,
                "deployment": "flight-delay",
            }
            name = "serinus_requests_total"
            good, bad = labels(name, code="200", **own), labels(name, code="500", **own)
            recorded.scrape(began + second, {good: 9.9 * second // 1, bad: second // 10})
    return recorded


def asked(path: str) -> str:
    """What Prometheus answers through the API server."""
    address = urlsplit(path)
    assert address.path == (
        "/api/v1/namespaces/serinus-system/services/serinus-prometheus:9090/proxy/api/v1/query"
    )
    question = parse_qs(address.query)
    query = Query("errors", question["query"][0], moment(float(question["time"][0])))
    result = [
        {"metric": dict(one.labels), "values": [[at, str(value)] for at, value in one.samples]}
        for one in prometheus().answer(query)
    ]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def test_what_stable_does_is_asked_of_prometheus(manifest: Path) -> None:
    cluster = FakeCluster([deployment({"stable": {"revision": STABLE, "modelVersion": "v1"}})])
    cluster.answers = asked
    code, text = commanded(f"plan -f {manifest}", cluster)

    assert code == ExitCode.OK
    assert "40 requests/s" in text
    assert "1 %" in text


def refuses(_: str) -> str:
    raise ClusterError('services "serinus-prometheus" not found')


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        pytest.param(FakeCluster([]), "isn't in the cluster yet", id="not there"),
        pytest.param(FakeCluster([deployment({})]), "no stable revision yet", id="nothing serves"),
        pytest.param(
            FakeCluster(
                [deployment({"stable": {"revision": STABLE, "modelVersion": "v1"}})],
                answers=refuses,
            ),
            "Prometheus can't be asked at service serinus-system/serinus-prometheus:9090",
            id="no Prometheus",
        ),
        pytest.param(
            FakeCluster(
                [deployment({"stable": {"revision": STABLE, "modelVersion": "v1"}})],
                answers=lambda _: "<html>",
            ),
            "gives no answer of Prometheus' API",
            id="something else",
        ),
    ],
)
def test_why_it_can_t_be_planned_is_told(
    manifest: Path, cluster: FakeCluster, message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        commanded(f"plan -f {manifest}", cluster)


def test_a_rate_that_is_none_is_refused(manifest: Path) -> None:
    with pytest.raises(CommandError, match="write METRIC=FRACTION"):
        commanded(f"plan -f {manifest} --requests-per-second 1 --rate errors=2", FakeCluster([]))


def test_a_file_without_a_deployment_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("kind: Service\n")

    with pytest.raises(CommandError, match=r"no Deployment of serinus\.dev in it"):
        commanded(f"plan -f {path}", FakeCluster([]))
