"""hack/bench: each benchmark is found by its name, and says what it measures."""

import importlib

import pytest

from benchmarks.__main__ import BENCHMARKS, main, usage


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_is_told_with_what_it_measures(name: str) -> None:
    line = next(line for line in usage().splitlines() if line.split()[:1] == [name])

    assert len(line.split()) > 3


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_explains_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(BENCHMARKS[name]).main(["--help"])

    assert ended.value.code == 0
    assert f"hack/bench {name}" in capsys.readouterr().out


def test_without_a_name_all_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "control-loop" in capsys.readouterr().out


def test_an_unknown_name_is_refused_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["control-lop"]) == 2
    assert "`control-lop`; there are: control-loop" in capsys.readouterr().out
