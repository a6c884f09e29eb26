"""What is read of a TrainingJob in each state of its run."""

import pytest

from serinus.api.enums import Phase, Reason
from serinus.api.trainingjob import TrainingRunStatus
from serinus.reconcile.readiness import Note
from serinus.reconcile.run_execution import Continues
from serinus.reconcile.trainingjob_conditions import Progress, phase, readiness, succeeded


def run(outcome: str | None = None) -> TrainingRunStatus:
    return TrainingRunStatus(name="r", number=1, identity="i", outcome=outcome, reason="R")


WORKS = Continues(Note(Reason.PROGRESSING, "works"))
NO_DATA = Continues(Note(Reason.WAITING_FOR_SNAPSHOT, "waits"))
IN_THE_WAY = Continues(Note(Reason.NAME_CONFLICT, "taken"), needs_a_person=True)


@pytest.mark.parametrize(
    ("what", "progress", "ready", "done", "word"),
    [
        ("suspended", Progress(None), False, "Unknown", Phase.PENDING),
        ("waits for data", Progress(None, NO_DATA), None, "Unknown", Phase.PENDING),
        ("waits for data of its new spec", Progress(run("succeeded"), NO_DATA), None, "True",
         Phase.PENDING),
        ("works", Progress(run(), WORKS), None, "Unknown", Phase.RUNNING),
        ("makes its version", Progress(run("succeeded"), WORKS), None, "True", Phase.RUNNING),
        ("a name is taken", Progress(run(), IN_THE_WAY), False, "Unknown", Phase.FAILED),
        ("succeeded", Progress(run("succeeded")), True, "True", Phase.SUCCEEDED),
        ("missed a gate", Progress(run("rejected")), False, "False", Phase.FAILED),
        ("failed", Progress(run("failed")), False, "False", Phase.FAILED),
    ],
)  # fmt: skip
def test_states(what: str, progress: Progress, ready: bool | None, done: str, word: Phase) -> None:
    assert readiness(progress).ready is ready, what
    assert succeeded(progress).status == done
    assert phase(progress) is word
