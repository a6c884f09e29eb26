"""What is read of a FeatureSet in each state of its run, with and without an older snapshot."""

import pytest

from serinus.api.enums import ConditionType, Phase, Reason
from serinus.api.featureset import FeatureSetRunStatus, Snapshot
from serinus.reconcile.featureset_conditions import Progress, data_valid, phase, readiness
from serinus.reconcile.readiness import Note, noted
from serinus.reconcile.run_execution import Continues
from tests.support.run_world import DIGEST_A

OLD = Snapshot(digest=DIGEST_A, uri="file:///store/x", rows=7)
WORKS = Continues(Note(Reason.PROGRESSING, "works"))
IN_THE_WAY = Continues(Note(Reason.NAME_CONFLICT, "taken"), needs_a_person=True)


def run(outcome: str | None = None) -> FeatureSetRunStatus:
    return FeatureSetRunStatus(
        name="r", number=1, identity="i", outcome=outcome, reason="R", message="said"
    )


@pytest.mark.parametrize(
    ("what", "progress", "ready", "stalled", "valid", "word"),
    [
        ("suspended", Progress(None, None), False, False, "Unknown", Phase.PENDING),
        ("works", Progress(run(), None, WORKS), None, False, "Unknown", Phase.RUNNING),
        ("works, has one", Progress(run(), OLD, WORKS), True, False, "Unknown", Phase.RUNNING),
        ("its Job's name is taken", Progress(run(), None, IN_THE_WAY), None, True, "Unknown",
         Phase.FAILED),
        ("succeeded", Progress(run("succeeded"), OLD), True, False, "True", Phase.READY),
        ("rejected", Progress(run("rejected"), None), False, True, "False", Phase.FAILED),
        ("rejected, has one", Progress(run("rejected"), OLD), True, False, "False", Phase.READY),
        ("failed", Progress(run("failed"), None), False, True, "Unknown", Phase.FAILED),
        ("failed, has one", Progress(run("failed"), OLD), True, True, "Unknown", Phase.READY),
    ],
)  # fmt: skip
def test_states(
    what: str, progress: Progress, ready: bool | None, stalled: bool, valid: str, word: Phase
) -> None:
    found = readiness(progress, suspended=True)

    assert found.ready is ready, what
    assert (found.stalled is not None) is stalled
    assert data_valid(progress, []).status == valid
    assert phase(progress) is word


def test_while_a_run_works_the_data_is_as_valid_as_it_was() -> None:
    before = noted(ConditionType.DATA_VALID, False, Note("ExpectationFailed", "12 rows"))

    assert data_valid(Progress(run(), OLD, WORKS), [before]) == before


def test_what_is_used_on_is_named_with_the_reason() -> None:
    note = readiness(Progress(run("rejected"), OLD), suspended=False).note

    assert note.message == "keeps using snapshot sha256:aaaaaaaaaaaa with 7 rows: said"
