"""What the command says, and that the decisions depend on nothing but seeds."""

import json

import pytest

from benchmarks.decisions import run
from benchmarks.decisions.catalogue import catalogue
from benchmarks.decisions.simulation import chunks, played_chunk

CASES = catalogue()


def test_a_case_is_played_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    code = run.main(["--rollouts", "10", "--case", "dead-50", "--processes", "1"])

    out, err = capsys.readouterr()
    assert code == 0
    assert "dead-50 (row 7): every answer is an error, 50 requests/s, 0.1 % before" in out
    assert "rolled back 100.00 % (69.15 to 100.00)" in out
    assert "ok     95th percentile of seconds to rollback: 45.0 <= 45" in out
    assert out.endswith("all figures of 1 reached\n")
    assert "[  1 of 1]" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--case", "nonesuch"], "no case is named so; there are: equal,"),
        (["--case", "equal", "--write"], "--write keeps all cases"),
    ],
)
def test_what_cant_be_done_is_said(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(arguments) == 2
    assert says in capsys.readouterr().out


def test_a_figure_that_is_missed_ends_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "is_reached", lambda _: False)

    assert run.main(["--rollouts", "1", "--case", "dead-5", "--processes", "1"]) == 1
    assert capsys.readouterr().out.endswith("missed: dead-5\n")


def test_more_rollouts_begin_with_the_same_ones() -> None:
    few, many = chunks(CASES["equal"], 250), chunks(CASES["equal"], 10_000)

    assert many[0] == few[0]
    assert sum(chunk.rollouts for chunk in many) == 10_000
    assert sum(chunk.rollouts for chunk in chunks(CASES["equal-day-5"], 10_000)) == 1000


def test_a_chunk_is_decided_alike_each_time() -> None:
    case = CASES["dead-5"]
    (chunk,) = chunks(case, 5)

    first, second = played_chunk(case, chunk), played_chunk(case, chunk)

    assert first.product == second.product
    assert first.peers == second.peers
    assert first.whole_way == 1
    assert first.whole_way_differs == 0


def test_results_are_kept_with_a_line_for_each_case() -> None:
    kept = {"date": "2026-11-28", "cases": [{"name": "a", "promoted": 3}, {"name": "b"}]}

    assert json.loads(run.text(kept)) == kept
    lines = run.text(kept).splitlines()
    assert lines[1:] == ['{"name": "a", "promoted": 3},', '{"name": "b"}', "]}"]
