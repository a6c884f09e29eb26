"""The metrics are exact, complete from the start, and readable by Prometheus' own parser."""

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.metrics import (
    SHADOWS_KEPT,
    Elsewhere,
    Metrics,
    ShadowOutcome,
    rendered,
)
from serinus_runtime.server.request_cells import LATENCY_BOUNDS_SECONDS
from tests.support.flight_requests import ROW
from tests.support.model_servers import REVISION, Client
from tests.support.trained_models import flights

NOTHING_ELSE = Elsewhere(flagged=0, connections=0, coming=0)


def metrics() -> Metrics:
    return Metrics(deployment="d", revision=REVISION, model="m", digest="sha256:0")


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_rates_are_computed_from_is_there_from_the_start() -> None:
    text = rendered(metrics(), NOTHING_ELSE).decode()

    told = {name for name, _ in samples(text)}
    codes = {
        dict(labels)["code"]: value
        for (name, labels), value in samples(text).items()
        if name == "serinus_requests_total"
    }
    assert codes == dict.fromkeys(("200", "400", "413", "500", "503", "504"), 0)
    assert {
        "serinus_request_duration_seconds_bucket",
        "serinus_request_duration_seconds_sum",
        "serinus_request_duration_seconds_count",
        "serinus_predictions_total",
        "serinus_labels_late_total",
        "serinus_model_info",
    } <= told


def test_each_bucket_holds_what_is_at_most_its_bound() -> None:
    cells = metrics()
    for seconds in (0.0005, 0.001, 0.0011, 0.25, 0.2500001, 11.0):
        cells.observe(200, seconds)

    told = {
        dict(labels)["le"]: value
        for (name, labels), value in samples(rendered(cells, NOTHING_ELSE).decode()).items()
        if name == "serinus_request_duration_seconds_bucket"
    }

    assert (told["0.001"], told["0.0025"], told["0.25"], told["0.5"]) == (2, 3, 4, 5)
    assert (told["10"], told["+Inf"]) == (5, 6)
    assert len(told) == len(LATENCY_BOUNDS_SECONDS) + 1


def test_labels_are_escaped() -> None:
    cells = Metrics(deployment='a"b\\c\nd', revision=REVISION, model="m", digest="sha256:0")

    labels = next(iter(samples(rendered(cells, NOTHING_ELSE).decode())))[1]

    assert dict(labels)["deployment"] == 'a"b\\c\nd'


def test_requests_rows_and_answers_are_counted_exactly(client: Client) -> None:
    for count in (1, 5, 32):
        client.post("/predict", {"rows": flights(count, seed=1)})
    client.post("/predict", {"rows": "wrong"})
    client.get("/v2/health/ready")
    client.post("/feedback", {"id": "wrong"})

    assert client.metric("serinus_requests_total", code="200") == 3
    assert client.metric("serinus_requests_total", code="400") == 1
    assert client.metric("serinus_request_duration_seconds_count") == 4
    assert client.metric("serinus_predictions_total") == 38
    assert client.metric("serinus_requests_in_flight") == 0


def test_values_that_break_a_promise_are_counted_if_they_are_used(client: Client) -> None:
    row = flights(1, seed=1, missing=0)[0]
    client.post("/predict", {"rows": [row | {"delay": 9999.0, "carrier": "never seen"}]})
    client.post("/predict", {"rows": [row | {"carrier": "never seen", "distance": -5.0}]})

    assert client.metric("serinus_flagged_values_total") == 2


def test_the_cohort_of_an_answer_is_there_before_its_first_label(client: Client) -> None:
    client.post("/predict", {"rows": flights(1, seed=1)})

    assert client.metric("serinus_labels_total", revision=REVISION, outcome="right") == 0
    assert client.metric("serinus_labels_total", revision=REVISION, outcome="wrong") == 0
    assert client.metric("serinus_label_loss_total", revision=REVISION, score="brier") == 0


def test_what_a_shadow_made_of_requests_is_told_by_its_revision() -> None:
    cells = metrics()
    cells.shadowed("aaaaaaaaaa", ShadowOutcome.DIFFERENT)
    found = samples(rendered(cells, NOTHING_ELSE).decode())

    told = {
        dict(labels)["outcome"]: value
        for (name, labels), value in found.items()
        if name == "serinus_shadow_requests_total" and ("revision", "aaaaaaaaaa") in labels
    }
    assert told == {"same": 0, "different": 1, "error": 0, "timeout": 0, "dropped": 0}


def test_shadows_of_long_ago_are_forgotten() -> None:
    cells = metrics()
    for number in range(SHADOWS_KEPT + 3):
        cells.shadowed(f"{number:010}", ShadowOutcome.SAME)

    assert [int(revision) for revision in cells.shadows] == [3, 4, 5, 6]


@pytest.mark.parametrize("package", ["two_classes", "three_classes", "regression"])
@pytest.mark.parametrize("rows", [1, 40])
def test_each_prediction_is_counted_in_a_bin_that_was_there_from_the_start(
    package: str, rows: int, request: pytest.FixtureRequest, client_of: Callable[..., Client]
) -> None:
    packaged: Packaged = request.getfixturevalue(package)
    client = client_of(packaged)
    before = binned(client)
    assert client.post("/predict", {"rows": [ROW] * rows}).status_code == 200
    after = binned(client)

    assert set(before.values()) == {0}
    assert after.keys() == before.keys()
    assert sorted(after.values())[-1] == sum(after.values()) == rows


def binned(client: Client) -> dict[str, float]:
    found = samples(client.get("/metrics").text).items()
    return {
        dict(labels)["bin"]: value
        for (name, labels), value in found
        if name == "serinus_predictions_binned_total"
    }
