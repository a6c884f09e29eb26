import json
from typing import Any

import pytest

from serinus.api.metadata import ActionRequest, HandledRequest
from serinus.cli.act import WAIT_SECONDS
from serinus.cli.errors import RefusedError
from tests.support.command_line import (
    CANARY,
    IN_CANARY,
    ROLLED_BACK,
    USER,
    FakeClock,
    FakeCluster,
    ago,
    commanded,
    deployment,
    feature_set,
    flights_in_canary,
    model_version,
)


def answers(outcome: str, message: str) -> Any:
    """An operator that says this to each request."""

    def operator(_body: dict[str, Any], text: str) -> HandledRequest:
        asked = ActionRequest.model_validate(json.loads(text))
        return HandledRequest(
            nonce=asked.nonce, verb=asked.verb, outcome=outcome, message=message, at=ago(seconds=0)
        )

    return operator


def test_a_request_says_who_what_and_about_which_revision() -> None:
    cluster = FakeCluster([deployment(IN_CANARY)], operator=answers("done", "it is promoted"))

    code, text = commanded("promote flight-delay --reason sale", cluster)

    assert (code, text) == (0, "promote flight-delay: done: it is promoted\n")
    (change,) = cluster.annotations
    asked = ActionRequest.model_validate(json.loads(change.value))
    assert (change.key, change.uid) == ("serinus.dev/request", "uid-of-flight-delay")
    assert (asked.actor, asked.verb, asked.reason) == (USER, "promote", "sale")
    assert (asked.uid, asked.revision) == (change.uid, CANARY)
    assert asked.issued_at == "2026-11-21T12:00:00Z"


def test_a_refusal_is_told_and_ends_with_1() -> None:
    cluster = FakeCluster([deployment(IN_CANARY)], operator=answers("refused", "too late"))

    assert commanded("abort flight-delay", cluster) == (
        1,
        "abort flight-delay: refused: too late\n",
    )


def test_an_answer_may_take_its_time() -> None:
    cluster = FakeCluster([deployment(IN_CANARY)])

    def happens(seconds: float) -> None:
        if seconds == 10:
            text = cluster.annotations[0].value
            handled = answers("done", "paused")({}, text)
            status = IN_CANARY.model_copy(update={"last_handled_request": handled})
            cluster.objects[0] = deployment(status)

    code, _ = commanded("pause flight-delay", cluster, FakeClock(on_wait=happens))

    assert code == 0


def test_the_answer_to_somebody_else_is_not_ours() -> None:
    handled = HandledRequest(nonce="theirs", verb="pause", outcome="done", at=ago(minutes=3))
    paused = IN_CANARY.model_copy(update={"last_handled_request": handled})
    clock = FakeClock()

    code, text = commanded("resume flight-delay", FakeCluster([deployment(paused)]), clock)

    assert (code, clock.seconds) == (2, WAIT_SECONDS)
    assert "the operator said nothing in 15 s" in text


def test_without_waiting_it_only_asks() -> None:
    cluster = FakeCluster([deployment(IN_CANARY)])

    assert commanded("pause flight-delay --no-wait", cluster)[0] == 0
    assert len(cluster.annotations) == 1


def test_a_dry_run_prints_the_patch_and_writes_nothing() -> None:
    cluster = FakeCluster([deployment(IN_CANARY)])

    _, text = commanded("promote flight-delay --dry-run", cluster)

    patch = json.loads(text)
    assert patch["metadata"]["uid"] == "uid-of-flight-delay"
    assert json.loads(patch["metadata"]["annotations"]["serinus.dev/request"])["verb"] == "promote"
    assert not cluster.annotations


def test_a_dry_run_in_the_server_asks_it() -> None:
    cluster = FakeCluster([deployment(IN_CANARY)])

    _, text = commanded("promote flight-delay --dry-run=server", cluster)

    assert "would accept it" in text
    assert cluster.dry_runs
    assert not cluster.annotations


@pytest.mark.parametrize("words", ["retry fset flights", "retry FeatureSet/flights"])
def test_a_feature_set_can_be_run_again(words: str) -> None:
    cluster = FakeCluster([feature_set()], operator=answers("done", "another run begins"))

    assert commanded(words, cluster)[0] == 0
    assert json.loads(cluster.annotations[0].value)["revision"] == ""


def test_a_rejected_revision_can_be_tried_again() -> None:
    cluster = FakeCluster([deployment(ROLLED_BACK)], operator=answers("done", ""))

    assert commanded("retry flight-delay", cluster)[0] == 0


def test_a_version_is_approved_by_its_name_alone() -> None:
    cluster = FakeCluster([model_version("boosted-1")], operator=answers("done", "approved"))

    assert commanded("approve boosted-1", cluster)[0] == 0
    assert json.loads(cluster.annotations[0].value)["verb"] == "approve"


def test_a_kind_that_does_not_know_the_verb_is_refused() -> None:
    with pytest.raises(RefusedError, match="a FeatureSet knows no `promote`"):
        commanded("promote fset flights", flights_in_canary())
