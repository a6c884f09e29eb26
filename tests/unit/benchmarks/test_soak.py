"""hack/bench soak: memory kept of a request, and counts that add up."""

import json

import pytest

from benchmarks.serving.load import Seen
from benchmarks.soak.run import figures
from benchmarks.soak.seen import Soaked, Totals, totals_in


def part(requests: int, failed: int = 0) -> Seen:
    return Seen(requests, 20.0, 1.0, 2.0, failed)


END = {
    "message": "model server ended",
    "requests": {"200": 30, "400": 1},
    "predictions": 60,
    "prediction_log_rows": {"written": 50, "dropped": 6, "unsampled": 4, "waiting": 0},
}


def test_the_end_of_the_server_tells_its_totals() -> None:
    log = "\n".join(['{"message": "model server ready"}', json.dumps(END), "Terminated"])

    assert totals_in(log) == Totals(requests=30, rows=60, logged=60, dropped=6)
    assert totals_in("INFO: shutting down") == Totals()


def test_what_is_kept_counts_from_the_end_of_the_warm_up() -> None:
    soak = Soaked((part(1000), part(500), part(524)), (40.0, 41.0, 42.0), Totals())

    assert soak.kept_kb == 2.0
    assert soak.answered == 2025


@pytest.mark.parametrize(
    ("totals", "missed"),
    [
        (Totals(requests=104, rows=104, logged=104), []),
        (Totals(requests=100, rows=100, logged=100), ["requests counted beyond them"]),
        (Totals(requests=104, rows=103, logged=103), ["rows less requests"]),
        (Totals(requests=104, rows=104, logged=105), ["rows less those logged or dropped"]),
    ],
)
def test_a_count_that_doesnt_add_up_is_missed(totals: Totals, missed: list[str]) -> None:
    soak = Soaked((part(50), part(51)), (40.0, 40.0), totals)

    found = [figure.what for figure in figures(soak, soak) if not figure.reached]

    assert found == missed
