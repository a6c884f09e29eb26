"""A figure is reached or missed, and compared with its control."""

import pytest

from benchmarks.figures import Figure, show


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        pytest.param(Figure("start", 29.9, "s", at_most=30), True, id="below the most"),
        pytest.param(Figure("start", 30.1, "s", at_most=30), False, id="above it"),
        pytest.param(Figure("events", 500, "/s", at_least=500), True, id="at the least"),
        pytest.param(Figure("events", 499, "/s", at_least=500), False, id="below it"),
        pytest.param(Figure("writes", 0, "", at_most=0), True, id="none where none may be"),
        pytest.param(Figure("CPU", 1e9, "s"), True, id="only told"),
    ],
)
def test_a_figure(figure: Figure, reached: bool) -> None:
    assert figure.reached is reached


def test_the_ratio_is_to_the_control() -> None:
    assert Figure("start", 12, "s", control=8).ratio == 1.5
    assert Figure("start", 12, "s").ratio is None
    assert Figure("start", 12, "s", control=0).ratio is None


def test_all_are_shown_and_one_that_is_missed_is_an_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = Figure("start", 12.34, "s", at_most=30, control=10)
    bad = Figure("memory", 312, "MB", at_most=300)

    assert show("control loop", [good], control="kopf alone") == 0
    assert show("control loop", [good, bad], control="kopf alone") == 1
    said = capsys.readouterr().out
    for part in ("12.3 s", "<= 30 s", "reached", "1.23", "312 MB", "missed", "kopf alone"):
        assert part in said
