"""An A/B test with real pods, a kubelet that brings the ConfigMap, and a client of many users."""

import json

import pytest

from tests.cluster.conftest import add_a_version_that_refuses, image
from tests.cluster.test_rollouts import (
    ROLLOUT_SECONDS,
    assert_no_client_was_let_down,
    change,
    settled_on,
)
from tests.support import small_model
from tests.support.live_cluster import Namespace, canary_of, rejected_reasons, stable_model

UNITS = 30
TOLD_SECONDS = 240
"""The pods begin two minutes after they are told of the test."""
ASK_TWICE = f"""
import json, urllib.request

def asked(unit):
    request = urllib.request.Request("http://points/predict", rows.encode(), {{"x-user-id": unit}})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["serinus-revision"]

rows = json.dumps({{"rows": [dict.fromkeys({list(small_model.RANGES)!r}, 0.5)]}})
units = ["user-%d" % number for number in range({UNITS})]
print(json.dumps([[asked(unit) for unit in units] for _ in range(2)]))
"""


@pytest.fixture
def asked_by_users(served: Namespace) -> Namespace:
    """Version `first-1` serves two pods' worth of requests of 2,000 users."""
    change(served, replicas=2)
    served.apply(*small_model.traffic(image("jobs"), "points", units=2_000))
    served.kubectl("wait", "--for=condition=Ready", "pod/traffic", "--timeout=60s")
    served.wait_for("mdep", "points", "two pods", lambda it: it["status"].get("replicas") == 2)
    return served


def left_of_the_test(namespace: Namespace) -> list[str]:
    """What stands in the namespace for a test that runs."""
    own = (("configmap", "points-ab-test"), ("service", "points-ab-test-pods"))
    return [name for kind, name in own if namespace.get(kind, name)]


def released_to_users(namespace: Namespace, model_version: str) -> None:
    """Release a version by an A/B test."""
    test = {"unit": {"header": "X-User-Id"}, "minSamples": 500, "minDuration": "20s"}
    change(
        namespace,
        model={"versionRef": {"name": model_version}},
        strategy={"canary": None, "abTest": test},
    )


def test_a_user_meets_one_version_whichever_pod_answers_and_the_better_one_is_promoted(
    asked_by_users: Namespace,
) -> None:
    place = asked_by_users
    stable = place.pods_of("points")
    released_to_users(place, "second-1")
    during = place.wait_for(
        "mdep", "points", "tested", lambda it: canary_of(it).get("exposures"), TOLD_SECONDS
    )
    first, second = json.loads(
        place.kubectl("exec", "traffic", "--", "python", "-c", ASK_TWICE, timeout_seconds=60)
    )
    pods = place.pods_of("points")
    service = place.get("service", "points")["spec"]["selector"]["serinus.dev/revision"]
    place.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)

    canary, before = canary_of(during)["revision"], during["status"]["stable"]["revision"]
    assert first == second
    assert set(first) == {canary, before}
    assert UNITS * 0.2 < first.count(canary) < UNITS * 0.8
    assert service == before
    assert stable.items() <= pods.items(), "no pod of stable was restarted"
    place.wait_until("no trace of the test", lambda: not left_of_the_test(place))
    assert_no_client_was_let_down(place)


def test_a_version_that_refuses_live_values_is_rolled_back_and_only_its_users_met_it(
    asked_by_users: Namespace,
) -> None:
    place = asked_by_users
    add_a_version_that_refuses(place)
    released_to_users(place, "third-1")
    found = place.wait_for(
        "mdep",
        "points",
        "rolled back",
        lambda it: rejected_reasons(it) != [],
        TOLD_SECONDS + ROLLOUT_SECONDS,
    )
    bad = found["status"]["rejectedRevisions"][0]["revision"]
    place.wait_until(
        "no pod of the bad revision", lambda: not place.list("pods", f"serinus.dev/revision={bad}")
    )

    assert rejected_reasons(found) == ["EvidenceOfHarm"]
    assert stable_model(found) == "first-1"
    place.wait_until("no trace of the test", lambda: not left_of_the_test(place))
    assert_no_client_was_let_down(place, bad_revision=bad)
