"""Cells are counted exactly and written as Prometheus reads them, whatever their labels."""

from prometheus_client.parser import text_string_to_metric_families

from serinus_runtime.server.ab_test_cells import AbTestCells, Fallback, ab_test_samples
from serinus_runtime.server.request_cells import RequestCells, request_samples, sample


def test_each_request_is_in_one_bucket_and_in_its_code() -> None:
    cells = RequestCells(exposed=True)
    for code, seconds in ((200, 0.0005), (200, 0.3), (502, 60.0)):
        cells.observe(code, seconds)

    lines = request_samples(cells, {"deployment": "d", "exposed": "true"})
    text = "\n".join(line for family in lines.values() for line in family) + "\n"
    found = {
        (one.name, one.labels.get("code") or one.labels.get("le", "")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }

    assert found["serinus_requests_total", "200"] == 2
    assert found["serinus_requests_total", "502"] == 1
    assert found["serinus_request_duration_seconds_bucket", "0.5"] == 2
    assert found["serinus_request_duration_seconds_bucket", "+Inf"] == 3


def test_labels_are_escaped() -> None:
    assert sample("a", {"b": 'c"\\\n'}, 1) == 'a{b="c\\"\\\\\\n"} 1'


def test_failures_of_the_canary_are_told_under_its_name_and_only_once_there_are_some() -> None:
    cells = AbTestCells("t", "canary")
    cells.fell_back(Fallback.UNREACHED, 1.0)
    before = ab_test_samples(cells, {"revision": "stable"})["serinus_requests_total"]
    cells.fell_back(Fallback.TIMEOUT, 5.0)
    after = ab_test_samples(cells, {"revision": "stable"})["serinus_requests_total"]

    assert not any('revision="canary"' in line for line in before)
    assert 'serinus_requests_total{revision="canary",exposed="true",code="504"} 1' in after
