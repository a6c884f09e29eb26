"""The page says what the file says, and says it where a figure is missed."""

import json
from copy import deepcopy

from benchmarks.decisions.catalogue import catalogue
from benchmarks.decisions.page import PAGE, RESULTS, ROOT, files, page
from benchmarks.decisions.peers import peers

RESULTS_FILE = json.loads((ROOT / RESULTS).read_text())


def test_the_committed_results_hold_every_case_and_peer() -> None:
    cases = {case["name"]: case for case in RESULTS_FILE["cases"]}

    assert list(cases) == list(catalogue())
    assert [peer["short"] for peer in RESULTS_FILE["peers"]] == [peer.short for peer in peers(15)]
    for name, case in catalogue().items():
        assert cases[name]["title"] == case.title
        assert [
            (one["measure"], one["sense"], one["limit"]) for one in cases[name]["requirements"]
        ] == [(one.measure, one.sense, one.limit) for one in case.requirements]


def test_every_figure_of_the_committed_results_is_reached() -> None:
    assert [
        (case["name"], one["measure"])
        for case in RESULTS_FILE["cases"]
        for one in case["requirements"]
        if not one["reached"]
    ] == []
    assert not any(case["whole_way_differs"] for case in RESULTS_FILE["cases"])


def test_the_page_is_made_of_the_file_alone() -> None:
    assert files() == {PAGE: page(RESULTS_FILE)}


def test_a_figure_that_is_missed_stands_out() -> None:
    results = deepcopy(RESULTS_FILE)
    results["cases"][0]["requirements"][0] |= {"measured": 0.0234, "reached": False}

    row = next(line for line in page(results).splitlines() if "2.34 %" in line)

    assert results["cases"][0]["title"] in row
    assert row.endswith("| **missed** |")


def test_each_table_has_as_many_cells_in_every_row() -> None:
    widths = []
    for line in page(RESULTS_FILE).splitlines():
        if line.startswith("|"):
            widths.append(line.count("|"))
        else:
            assert len(set(widths)) <= 1, line
            widths = []
