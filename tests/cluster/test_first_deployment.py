"""A first version that does harm, on real pods: told, it serves on, and a better one follows."""

from tests.cluster.test_modes import with_a_bad_version  # noqa: F401 (a fixture)
from tests.cluster.test_rollouts import ROLLOUT_SECONDS, answered, change, release, settled_on
from tests.support.live_cluster import Namespace, condition

LIMIT = [{"name": "ever", "template": "error-rate", "max": "0.05"}]


def test_a_harmful_first_version_serves_on_until_a_better_one_takes_its_place(
    with_a_bad_version: Namespace,  # noqa: F811 (the same)
) -> None:
    namespace = with_a_bad_version
    pods = namespace.get("mdep", "points")["spec"].get("replicas", 1)
    change(namespace, replicas=0)
    namespace.wait_until("all pods are gone", lambda: not namespace.pods_of("points"))
    change(
        namespace,
        replicas=pods,
        model={"versionRef": {"name": "third-1"}},
        strategy={"firstDeployment": {"duration": "10m"}},
        analysis={"metrics": LIMIT},
    )
    harmful = namespace.wait_for(
        "mdep",
        "points",
        "known to be harmful",
        lambda it: condition(it, "Promoted")[1] == "FirstRevisionHarmful",
        ROLLOUT_SECONDS,
    )
    bad = harmful["status"]["stable"]["revision"]
    met = answered(namespace)[bad]
    namespace.wait_until("it goes on serving", lambda: answered(namespace)[bad] > met)

    told = [it["action"] for it in harmful["status"]["history"] if it["revision"] == bad]
    assert told == ["start", "serve", "hold"]
    assert harmful["status"]["phase"] == "Degraded"
    assert condition(harmful, "Available")[0] == "True"
    assert len(namespace.pods_of("points")) == pods

    release(namespace, "second-1")
    done = namespace.wait_for("mdep", "points", "replaced", settled_on("second-1"), ROLLOUT_SECONDS)
    assert condition(done, "Promoted")[0] == "True"
