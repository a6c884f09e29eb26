"""A failed program is told with the end of what it said, and two demos don't fight."""

import pytest

from flights_demo import commands
from flights_demo.commands import DemoError, alone, run


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "WORK", tmp_path)


def test_output_comes_back_and_input_goes_in() -> None:
    assert run(["cat"], stdin=b"flights") == "flights"


def test_a_failure_shows_the_end_of_what_was_said_and_where_all_of_it_is(tmp_path) -> None:
    with pytest.raises(DemoError, match="no such engine") as failed:
        run(["sh", "-c", "echo no such engine >&2; exit 3"], log="build.log")

    assert str(tmp_path / "build.log") in str(failed.value)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(DemoError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_a_second_demo_is_refused_while_the_first_runs() -> None:
    with alone(), pytest.raises(DemoError, match="another hack/demo"), alone():
        pass
    with alone():
        pass
