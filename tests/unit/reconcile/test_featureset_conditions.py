"""What is read of a FeatureSet in each state of its run, with and without an older snapshot."""

import pytest

from serinus.api.enums import ConditionType, Phase, Reason
from serinus.api.featureset import FeatureSetRunStatus, Online, Snapshot
from serinus.reconcile.featureset_conditions import (
    Progress,
    data_valid,
    online_synced,
    phase,
    readiness,
)
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


WITH_TABLE = OLD.model_copy(update={"online_entities": 3})
WANTED = Online(max_staleness="1h")


@pytest.mark.parametrize(
    ("progress", "status", "said"),
    [
        (Progress(None, None), "Unknown", "no snapshot has an online table yet"),
        (Progress(run(), OLD, WORKS), "Unknown", "no snapshot has an online table yet"),
        (Progress(run("succeeded"), WITH_TABLE), "True", "3 entities of snapshot"),
        (Progress(run("rejected"), WITH_TABLE), "True", "3 entities of snapshot"),
        (Progress(run("rejected"), OLD), "False", "said"),
        (Progress(run("failed"), None), "False", "said"),
    ],
)
def test_an_online_table_is_told_where_one_is_wanted(
    progress: Progress, status: str, said: str
) -> None:
    (found,) = online_synced(progress, WANTED, [])

    assert (found.type, found.status) == (ConditionType.ONLINE_SYNCED, status)
    assert said in found.message


def test_nothing_is_told_of_one_that_nobody_wants() -> None:
    switched_off = WANTED.model_copy(update={"enabled": False})

    assert online_synced(Progress(run("succeeded"), WITH_TABLE), None, []) == ()
    assert online_synced(Progress(run("succeeded"), WITH_TABLE), switched_off, []) == ()


def test_what_could_not_be_written_is_told_until_a_run_has_ended() -> None:
    failed = run("succeeded").model_copy(
        update={"online_problem": "refused", "finished_at": "2026-01-01T00:00:00Z"}
    )
    (told,) = online_synced(Progress(failed, OLD), WANTED, [])
    again = run().model_copy(update={"online_failures": 1})

    assert (told.status, told.reason) == ("False", Reason.ONLINE_WRITE_FAILED)
    assert told.message == "refused; it is tried again at 2026-01-01T00:05:00Z"
    assert online_synced(Progress(again, OLD, WORKS), WANTED, [told]) == (told,)


def test_what_is_used_on_is_named_with_the_reason() -> None:
    note = readiness(Progress(run("rejected"), OLD), suspended=False).note

    assert note.message == "keeps using snapshot sha256:aaaaaaaaaaaa with 7 rows: said"
