"""How far the evidence is trusted, with real pods: a version that refuses what users send."""

from typing import Any

import pytest

from tests.cluster.conftest import add_a_version_that_refuses
from tests.cluster.test_rollouts import (
    ROLLOUT_SECONDS,
    answered,
    assert_no_client_was_let_down,
    change,
    release,
)
from tests.support.live_cluster import (
    Namespace,
    canary_of,
    kubectl,
    rejected_reasons,
    stable_model,
)


@pytest.fixture
def with_a_bad_version(asked: Namespace) -> Namespace:
    """The namespace with `third-1`, which refuses values that users send."""
    add_a_version_that_refuses(asked)
    return asked


def in_mode(namespace: Namespace, mode: str) -> None:
    """Trust the evidence so far from now on; the canary's steps wait for a person."""
    steps = [{"setWeight": 50}, {"pause": {}}]
    change(namespace, analysis={"mode": mode}, strategy={"canary": {"steps": steps}})


def has_shown_harm(body: dict[str, Any]) -> bool:
    """Predicate: the metric has failed."""
    return [it["verdict"] for it in body["status"].get("analysis", ())] == ["Failed"]


def test_observed_harm_is_told_and_people_decide(with_a_bad_version: Namespace) -> None:
    namespace = with_a_bad_version
    in_mode(namespace, "observe")
    release(namespace, "third-1")
    seen = namespace.wait_for("mdep", "points", "shown bad", has_shown_harm, ROLLOUT_SECONDS)
    bad = canary_of(seen)["revision"]
    told = namespace.wait_for(
        "mdep",
        "points",
        "told",
        lambda it: any("would" in entry["because"] for entry in it["status"]["history"]),
    )
    assert canary_of(told)["revision"] == bad
    assert rejected_reasons(told) == []

    kubectl("serinus", "abort", "points", "-n", namespace.name)
    namespace.wait_for(
        "mdep", "points", "ended", lambda it: rejected_reasons(it) == ["AbortedByUser"]
    )
    assert_no_client_was_let_down(namespace, bad_revision=bad)


def test_where_harm_pauses_the_canary_gets_no_more_requests_and_keeps_its_pods(
    with_a_bad_version: Namespace,
) -> None:
    namespace = with_a_bad_version
    in_mode(namespace, "pause")
    release(namespace, "third-1")
    paused = namespace.wait_for(
        "mdep",
        "points",
        "paused by evidence",
        lambda it: it["status"].get("phase") == "Paused" and has_shown_harm(it),
        ROLLOUT_SECONDS,
    )
    bad = canary_of(paused)["revision"]
    selector = f"serinus.dev/revision={bad}"
    assert stable_model(paused) == "first-1"
    assert namespace.list("pods", selector) != []

    met = [answered(namespace).get(bad, 0)]

    def it_gets_no_more() -> bool:
        met.append(answered(namespace).get(bad, 0))
        return met[-1] == met[-2]

    namespace.wait_until("the canary gets no more requests", it_gets_no_more)
    assert rejected_reasons(namespace.get("mdep", "points")) == []
    assert_no_client_was_let_down(namespace, bad_revision=bad)
