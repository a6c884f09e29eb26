"""What is built beside the cluster is waited for, told of if it fails, and ended with the demo."""

import pytest

from flights_demo.commands import DemoError
from flights_demo.preparation import assignments, output_of, shown, started


def test_lines_of_shell_are_variables() -> None:
    assert assignments("export A='x y'\nB=2\n") == {"A": "x y", "B": "2"}


def test_output_of_a_program_that_ran_meanwhile() -> None:
    with started(["sh", "-c", "echo built"]) as build:
        assert output_of(build) == "built\n"


def test_a_failure_names_the_program() -> None:
    with pytest.raises(DemoError, match="sh -c 'exit 3' failed"):
        shown(["sh", "-c", "exit 3"])


def test_a_program_that_nobody_waits_for_any_more_is_ended() -> None:
    with pytest.raises(DemoError, match="the cluster failed"), started(["sleep", "60"]) as build:
        raise DemoError("the cluster failed")

    assert build.returncode is not None
