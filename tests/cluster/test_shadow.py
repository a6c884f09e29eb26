"""A shadow with real pods, a real DNS and a real client: judged, and met by nobody."""

import re

from tests.cluster.conftest import add_a_version_that_refuses
from tests.cluster.test_rollouts import (
    ROLLOUT_SECONDS,
    answered,
    assert_no_client_was_let_down,
    change,
    settled_on,
)
from tests.support.live_cluster import Namespace, canary_of, rejected_reasons, stable_model

STEPS = [
    {"shadow": {"minSamples": 100, "minDuration": "15s"}},
    {"setWeight": 50},
    {"analyze": {"minSamples": 50}},
]
SAME = re.compile(r'serinus_shadow_requests_total\{[^}]*outcome="(\w+)"\} (\d+)')


def released_by_a_shadow(namespace: Namespace, model_version: str) -> None:
    model = {"versionRef": {"name": model_version}}
    change(namespace, model=model, strategy={"canary": {"stepWeights": None, "steps": STEPS}})


def mirrored(namespace: Namespace, pods: dict[str, str]) -> dict[str, int]:
    """What stable's pods count of the requests that they mirrored, by outcome."""
    counts: dict[str, int] = {}
    for name in pods:
        path = f"/api/v1/namespaces/{namespace.name}/pods/{name}:8080/proxy/metrics"
        for outcome, count in SAME.findall(namespace.kubectl("get", "--raw", path)):
            counts[outcome] = counts.get(outcome, 0) + int(count)
    return counts


def stable_revision(namespace: Namespace) -> str:
    revision: str = namespace.get("mdep", "points")["status"]["stable"]["revision"]
    return revision


def test_stables_pods_mirror_without_a_restart_and_the_client_meets_the_canary_after(
    asked: Namespace,
) -> None:
    stable = asked.pods_of("points")
    first = stable_revision(asked)
    released_by_a_shadow(asked, "second-1")
    asked.wait_until(
        "requests are mirrored", lambda: mirrored(asked, stable).get("same", 0) > 0, ROLLOUT_SECONDS
    )
    met = set(answered(asked))
    shadow = canary_of(asked.get("mdep", "points"))
    asked.wait_for(
        "mdep", "points", "past its shadow", lambda it: canary_of(it).get("step", 0) > 0, 120
    )
    service = asked.get("service", "points-shadow-pods")
    during = asked.pods_of("points")
    asked.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)

    assert (shadow["step"], shadow["actualWeight"]) == (0, 0)
    assert met == {first}
    assert stable.items() <= during.items()
    assert service == {}
    assert_no_client_was_let_down(asked)


def test_a_version_that_refuses_live_values_is_rolled_back_and_no_client_met_it(
    asked: Namespace,
) -> None:
    add_a_version_that_refuses(asked)
    first = stable_revision(asked)
    released_by_a_shadow(asked, "third-1")
    found = asked.wait_for(
        "mdep", "points", "rolled back", lambda it: rejected_reasons(it) != [], ROLLOUT_SECONDS
    )

    assert rejected_reasons(found) == ["EvidenceOfHarm"]
    assert stable_model(found) == "first-1"
    assert set(answered(asked)) == {first}
    assert_no_client_was_let_down(asked)
