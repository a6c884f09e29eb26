"""A version that does harm once all requests are its: taken back by itself, on real pods."""

from tests.cluster.test_modes import with_a_bad_version  # noqa: F401 (a fixture)
from tests.cluster.test_rollouts import (
    ROLLOUT_SECONDS,
    assert_no_client_was_let_down,
    change,
    release,
)
from tests.support.live_cluster import Namespace, rejected_reasons, stable_model

METRICS = [{"name": "errors", "template": "error-rate", "max": "0.05"}]


def test_harm_after_a_switch_leads_back_to_the_pods_that_waited(
    with_a_bad_version: Namespace,  # noqa: F811 (the same)
) -> None:
    namespace = with_a_bad_version
    strategy = {"canary": None, "blueGreen": {}, "postPromotionAnalysis": {"duration": "10m"}}
    change(namespace, strategy=strategy, analysis={"metrics": METRICS})
    waiting = namespace.pods_of("points")

    release(namespace, "third-1")
    promoted = namespace.wait_for(
        "mdep", "points", "promoted", lambda it: stable_model(it) == "third-1", ROLLOUT_SECONDS
    )
    bad = promoted["status"]["stable"]["revision"]
    assert promoted["status"]["kept"]["analysis"]
    back = namespace.wait_for(
        "mdep", "points", "taken back", lambda it: stable_model(it) == "first-1", ROLLOUT_SECONDS
    )

    assert rejected_reasons(back) == ["EvidenceOfHarm"]
    assert "after the promotion" in back["status"]["rejectedRevisions"][0]["message"]
    namespace.wait_until(
        "no pod of the bad revision",
        lambda: not namespace.list("pods", f"serinus.dev/revision={bad}"),
    )
    assert namespace.pods_of("points") == waiting
    assert_no_client_was_let_down(namespace, bad_revision=bad)
