import inspect
import json
from importlib import import_module

import pytest

from serinus.api.deployment_status import HistoryEntry
from serinus.api.enums import Action, Reason
from serinus.cli import objects
from serinus.cli.why_view import rule_of
from tests.support.command_line import (
    ROLLED_BACK,
    SERVING,
    FakeCluster,
    commanded,
    condition,
    deployment,
    feature_set,
    model_version,
    training_job,
)


def test_a_rollback_is_told_with_its_figures_and_its_rule(golden) -> None:
    _, text = commanded("why flight-delay", FakeCluster([deployment(ROLLED_BACK)]))

    golden("cli/why-rolled-back.txt", text)


def test_who_promoted_is_told() -> None:
    entry = HistoryEntry(
        at="2026-11-21T11:59:00Z",
        action="promote",
        revision="b1ffc0de22",
        model_version="boosted-1",
        reason="PromotedByUser",
        because="revision b1ffc0de22 (boosted-1) was promoted: sale starts at noon",
        actor="mia@example.com",
    )
    promoted = SERVING.model_copy(update={"history": [*SERVING.history, entry]})

    _, text = commanded("why flight-delay", FakeCluster([deployment(promoted)]))

    assert "60s ago, by mia@example.com" in text
    assert "promoted_by_user in operator/serinus/rollout/promotion.py" in text


def test_a_margin_that_guards_nothing_is_told() -> None:
    warned = ROLLED_BACK.analysis[0].model_copy(update={"warning": "a constant would pass"})
    status = ROLLED_BACK.model_copy(update={"analysis": [warned]})

    _, text = commanded("why flight-delay", FakeCluster([deployment(status)]))

    assert f"Careful:     {warned.metric}: a constant would pass" in text


def test_a_training_job_tells_its_run_and_gates(golden) -> None:
    rejected = training_job(
        "boosted",
        phase="Failed",
        message="gate roc_auc: 0.58, at least 0.60 is asked for",
        lastRun={
            "name": "boosted-train-1",
            "number": 1,
            "identity": "sha256:1",
            "finishedAt": "2026-11-21T11:50:00Z",
            "outcome": "rejected",
            "reason": "GateFailed",
            "message": "gate roc_auc: 0.58, at least 0.60 is asked for",
            "gates": [{"metric": "roc_auc", "value": "0.58", "min": "0.60", "passed": False}],
        },
        conditions=[condition("Ready", "False", "GateFailed", "a gate was missed")],
    )

    _, text = commanded("why tjob boosted", FakeCluster([rejected]))

    golden("cli/why-gate-failed.txt", text)


def test_a_feature_set_tells_which_promise_its_data_broke() -> None:
    broken = feature_set(
        conditions=[
            condition("Ready", "True", "Succeeded"),
            condition("DataValid", "False", "SnapshotRejected", "distance: 12 rows below 0"),
        ]
    )

    _, text = commanded("why fset flights", FakeCluster([broken]))

    assert "DataValid=False:" in text
    assert "SnapshotRejected  distance: 12 rows below 0" in text


def test_a_version_that_waits_for_approval_says_so() -> None:
    waiting = model_version(
        "boosted-1", conditions=[condition("Approved", "False", "WaitingForApproval", "a person")]
    )

    _, text = commanded("why mver boosted-1", FakeCluster([waiting]))

    assert "WaitingForApproval" in text


def test_before_the_first_decision_it_says_so() -> None:
    fresh = SERVING.model_copy(update={"history": []})

    _, text = commanded("why flight-delay", FakeCluster([deployment(fresh)]))

    assert "nothing yet" in text


def test_another_program_gets_the_decision() -> None:
    _, text = commanded("why flight-delay -o json", FakeCluster([deployment(ROLLED_BACK)]))

    data = json.loads(text)
    assert data["decision"]["reason"] == "EvidenceOfHarm"
    assert data["analysis"][0]["verdict"] == "Failed"


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (Action.ROLLBACK, Reason.EVIDENCE_OF_HARM),
        (Action.ROLLBACK, Reason.SCALAR_LIMIT_EXCEEDED),
        (Action.ROLLBACK, Reason.PROGRESS_DEADLINE_EXCEEDED),
        (Action.ROLLBACK, Reason.ANALYSIS_DEADLINE_EXCEEDED),
        (Action.ROLLBACK, Reason.NO_DATA),
        (Action.ROLLBACK, Reason.MODEL_VERSION_REJECTED),
        (Action.ABORT, Reason.ABORTED_BY_USER),
        (Action.ABORT, Reason.BACK_TO_STABLE),
        (Action.HOLD, Reason.METRICS_UNAVAILABLE),
        (Action.HOLD, Reason.INSUFFICIENT_EVIDENCE),
        (Action.HOLD, Reason.PAUSED_BY_STEP),
        (Action.HOLD, Reason.PAUSED_BY_USER),
        (Action.HOLD, Reason.NO_DATA),
        (Action.HOLD, Reason.SUSPENDED),
        (Action.PROMOTE, Reason.PROMOTED),
        (Action.PROMOTE, Reason.PROMOTED_BY_USER),
        (Action.PROMOTE, Reason.PROMOTED_WITHOUT_EVIDENCE),
        (Action.PROMOTE, Reason.ANALYSIS_DEADLINE_EXCEEDED),
        (Action.PROMOTE, Reason.FIRST_REVISION),
        (Action.SERVE, Reason.FIRST_REVISION),
        (Action.PROMOTE, Reason.FIRST_REVISION_SAFE),
        (Action.PROMOTE, Reason.FIRST_REVISION_UNPROVEN),
        (Action.HOLD, Reason.FIRST_REVISION_HARMFUL),
        (Action.ROLLBACK, Reason.ROLLED_BACK_BY_HOOK),
        (Action.HOLD, Reason.WAITING_FOR_CONFIRMATION),
        (Action.SUPERSEDE, Reason.ROLLOUT_SUPERSEDED),
        (Action.SUPERSEDE, Reason.SCALED_TO_ZERO),
        (Action.START, Reason.ROLLOUT_STARTED),
        (Action.START, Reason.FIRST_REVISION),
        (Action.STEP, Reason.STEP_STARTED),
    ],
)
def test_the_rule_that_is_named_is_there(action: Action, reason: Reason) -> None:
    entry = objects.HistoryEntry(None, action.value, "", "", reason.value, "", "")

    function, _, path = rule_of(entry).partition(" in operator/")
    module = import_module(path.removesuffix(".py").replace("/", "."))

    assert inspect.isfunction(getattr(module, function))
