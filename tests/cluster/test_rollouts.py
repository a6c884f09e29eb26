"""Rollouts with real pods, a real Prometheus and a client that counts every answer."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.conftest import add_a_version_that_refuses, image, install_chart
from tests.support import small_model
from tests.support.live_cluster import (
    OPERATOR_NAMESPACE,
    Namespace,
    canary_of,
    condition,
    kubectl,
    rejected_reasons,
    stable_model,
)

ROLLOUT_SECONDS = 180


def change(namespace: Namespace, **spec: object) -> None:
    """Change members of the Deployment's spec; None takes one away."""
    patch = json.dumps({"spec": spec})
    namespace.kubectl("patch", "mdep", "points", "--type=merge", "-p", patch)


def release(namespace: Namespace, model_version: str) -> None:
    """Change the model reference, as a commit would."""
    change(namespace, model={"versionRef": {"name": model_version}})


def answers(namespace: Namespace) -> dict[str, int]:
    """All that the client has counted so far."""
    lines = namespace.kubectl("logs", "pod/traffic", "--tail=1").splitlines()
    counts: dict[str, int] = json.loads(lines[-1])
    return counts


def answered(namespace: Namespace) -> dict[str, int]:
    """How often each revision has answered the client so far, whatever it said."""
    counts: dict[str, int] = {}
    for key, count in answers(namespace).items():
        if not key.startswith(("broken", "feedback")):
            revision = key.split()[0]
            counts[revision] = counts.get(revision, 0) + count
    return counts


def assert_no_client_was_let_down(namespace: Namespace, bad_revision: str = "") -> None:
    """No reset, timeout or gateway error; a failed answer names the bad revision only."""
    counts = answers(namespace)
    broken = {key: value for key, value in counts.items() if key.startswith("broken")}
    failed = {
        key: value
        for key, value in counts.items()
        if not key.startswith(("broken", "feedback"))
        and key.split()[1] not in ("200", "slow")
        and key.split()[0] != bad_revision
    }

    assert broken == {}, counts
    assert failed == {}, counts


def canary_is_at(step: int):
    """Predicate: the canary has reached the step and its pods have traffic."""
    return lambda it: (
        canary_of(it).get("step", -1) >= step and canary_of(it).get("trafficStartedAt") is not None
    )


def settled_on(model_version: str):
    """Predicate: the version is stable, and no canary is left."""
    return lambda it: (
        stable_model(it) == model_version
        and not canary_of(it)
        and it["status"].get("phase") == "Healthy"
    )


def test_a_better_version_is_promoted_and_no_pod_is_restarted(asked: Namespace) -> None:
    release(asked, "second-1")
    asked.wait_for("mdep", "points", "at its last step", canary_is_at(2), ROLLOUT_SECONDS)
    canary = canary_of(asked.get("mdep", "points"))["revision"]
    selector = f"serinus.dev/revision={canary}"
    during = {pod["metadata"]["uid"] for pod in asked.list("pods", selector)}
    asked.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)
    after = {pod["metadata"]["uid"] for pod in asked.list("pods", selector)}

    assert during <= after
    for pod in asked.list("pods", selector):
        assert [it["restartCount"] for it in pod["status"]["containerStatuses"]] == [0]
    assert_no_client_was_let_down(asked)


def test_a_version_that_refuses_live_values_is_rolled_back(asked: Namespace) -> None:
    add_a_version_that_refuses(asked)
    release(asked, "third-1")
    rolled_back = asked.wait_for(
        "mdep", "points", "rolled back", lambda it: rejected_reasons(it) != [], ROLLOUT_SECONDS
    )
    bad = rolled_back["status"]["rejectedRevisions"][0]["revision"]
    asked.wait_until(
        "no pod of the bad revision", lambda: not asked.list("pods", f"serinus.dev/revision={bad}")
    )

    record = asked.get("controllerrevisions", f"points-{bad}-rejected")

    assert rejected_reasons(rolled_back) == ["EvidenceOfHarm"]
    assert record["data"]["rejected"] == rolled_back["status"]["rejectedRevisions"][0]
    assert stable_model(rolled_back) == "first-1"
    assert_no_client_was_let_down(asked, bad_revision=bad)


def test_an_operator_killed_in_the_middle_of_a_canary_continues_it(asked: Namespace) -> None:
    release(asked, "second-1")
    asked.wait_for("mdep", "points", "in its first step", canary_is_at(0), ROLLOUT_SECONDS)
    before = canary_of(asked.get("mdep", "points"))
    kubectl(
        "-n", OPERATOR_NAMESPACE, "delete", "pod", "-l", "app.kubernetes.io/component=operator",
        "--grace-period=0", "--force",
    )  # fmt: skip
    done = asked.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)
    starts = [it for it in done["status"]["history"] if it["action"] == "start"]

    assert [it["revision"] for it in starts if it["revision"] == before["revision"]] == [
        before["revision"]
    ]
    assert_no_client_was_let_down(asked)


def prometheus_is_gone() -> bool:
    """Whether no Prometheus runs or ends."""
    pods = Namespace(OPERATOR_NAMESPACE).list("pods", "app.kubernetes.io/component=prometheus")
    return all(pod["status"]["phase"] in ("Succeeded", "Failed") for pod in pods)


def test_a_prometheus_that_is_away_freezes_a_healthy_canary(asked: Namespace) -> None:
    prometheus = ["-n", OPERATOR_NAMESPACE, "scale", "deployment.apps/serinus-prometheus"]
    release(asked, "second-1")
    asked.wait_for("mdep", "points", "in its first step", canary_is_at(0), ROLLOUT_SECONDS)
    kubectl(*prometheus, "--replicas=0")
    try:
        asked.wait_until("Prometheus is gone", prometheus_is_gone)
        frozen = asked.wait_for(
            "mdep", "points", "frozen", lambda it: bool(canary_of(it).get("frozenSince"))
        )
        time.sleep(60)  # the minute of the outage is the scenario, not a wait for something
        still = asked.get("mdep", "points")
    finally:
        kubectl(*prometheus, "--replicas=1")
    asked.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)

    assert canary_of(still)["step"] == canary_of(frozen)["step"]
    assert stable_model(still) == "first-1"
    assert rejected_reasons(still) == []
    assert_no_client_was_let_down(asked)


def test_another_version_in_the_middle_of_a_canary_supersedes_it(asked: Namespace) -> None:
    asked.apply(small_model.training_job("third", c="0.1"))
    asked.wait_for(
        "mver", "third-1", "ready", lambda it: it.get("status", {}).get("phase") == "Ready"
    )
    release(asked, "second-1")
    asked.wait_for("mdep", "points", "in its first step", canary_is_at(0), ROLLOUT_SECONDS)
    release(asked, "third-1")
    done = asked.wait_for("mdep", "points", "promoted", settled_on("third-1"), ROLLOUT_SECONDS)

    assert "supersede" in [it["action"] for it in done["status"]["history"]]
    assert rejected_reasons(done) == []
    assert_no_client_was_let_down(asked)


def test_deleting_and_applying_the_training_job_again_changes_nothing_that_runs(
    served: Namespace,
) -> None:
    pods = served.pods_of("points")
    version = served.get("mver", "first-1")
    served.kubectl("delete", "tjob", "first")
    served.apply(small_model.training_job("first"))
    again = served.wait_for(
        "tjob", "first", "succeeded", lambda it: condition(it, "Ready")[0] == "True"
    )

    assert again["status"]["lastRun"]["modelVersionRef"]["name"] == "first-1"
    assert served.get("mver", "first-1")["metadata"]["uid"] == version["metadata"]["uid"]
    assert served.pods_of("points") == pods
    assert served.list("jobs", "serinus.dev/trainingjob=first") == []


def test_an_operator_with_another_default_image_starts_no_pod(served: Namespace) -> None:
    pods = served.pods_of("points")
    revisions = {it["metadata"]["name"] for it in served.list("controllerrevisions")}
    generation = served.list("deployments.apps")[0]["metadata"]["generation"]
    try:
        install_chart(**{"image.server": image("jobs"), "image.jobs": image("server")})
        served.wait_for("mdep", "points", "healthy", settled_on("first-1"))
        kubectl(
            "-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment.apps/serinus",
            "--timeout=60s",
        )  # fmt: skip
        served.kubectl("annotate", "mdep", "points", "test=touched")

        assert served.pods_of("points") == pods
        assert {it["metadata"]["name"] for it in served.list("controllerrevisions")} == revisions
        assert served.list("deployments.apps")[0]["metadata"]["generation"] == generation
        assert served.list("jobs") == [] or all(
            it["status"].get("succeeded") for it in served.list("jobs")
        )
    finally:
        install_chart()


ALTERED_BUILDER = """\
import runpy

from serinus.manifests import pod

rendered = pod._spec


def altered(parts, additions):
    spec = rendered(parts, additions)
    for container in spec["containers"]:
        container["env"] = [*container["env"], {"name": "ALTERED", "value": "1"}]
    return spec


pod._spec = altered
runpy.run_module("serinus.app.main", run_name="__main__")
"""
"""Starts the operator with a builder that gives each pod one more variable."""


@contextmanager
def another_operator(server_image: str) -> Iterator[None]:
    """The operator of another release: its builder makes other pods, its default image differs."""
    system = Namespace(OPERATOR_NAMESPACE)
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "altered-builder"}}
    system.apply({**files, "data": {"start.py": ALTERED_BUILDER}})
    container = {
        "name": "operator",
        "command": ["python", "/altered/start.py"],
        "env": [{"name": "SERINUS_SERVER_IMAGE", "value": server_image}],
        "volumeMounts": [{"name": "altered", "mountPath": "/altered", "readOnly": True}],
    }
    volume = {"name": "altered", "configMap": {"name": "altered-builder"}}
    pods = {"containers": [container], "volumes": [volume]}
    patch = {"spec": {"template": {"spec": pods}}}
    system.kubectl("patch", "deployment.apps/serinus", "--type=strategic", "-p", json.dumps(patch))
    try:
        only_the_newest_operator_runs()
        yield
    finally:
        system.kubectl("rollout", "undo", "deployment.apps/serinus")
        only_the_newest_operator_runs()
        system.kubectl("delete", "configmap", "altered-builder")


def only_the_newest_operator_runs() -> None:
    """Wait until the operator's rollout is through and the pods before it are gone."""
    system = Namespace(OPERATOR_NAMESPACE)
    system.kubectl(
        "rollout", "status", "deployment.apps/serinus", "--timeout=120s", timeout_seconds=150
    )
    wanted = system.get("deployment.apps", "serinus")["spec"]["replicas"]
    system.wait_until(
        "the operator before it is gone",
        lambda: len(system.list("pods", "app.kubernetes.io/component=operator")) == wanted,
    )


def edited(namespace: Namespace, **spec: object) -> dict[str, Any]:
    """The Deployment after an edit of its spec that the operator has seen."""
    change(namespace, **spec)
    return namespace.wait_for(
        "mdep",
        "points",
        "seen by the operator",
        lambda it: it["status"]["observedGeneration"] == it["metadata"]["generation"],
    )


def test_an_operator_with_another_builder_and_another_default_image_starts_nothing(
    served: Namespace,
) -> None:
    before = served.get("mdep", "points")
    pods = served.pods_of("points")
    revisions = {it["metadata"]["name"] for it in served.list("controllerrevisions")}
    [workload] = served.list("deployments.apps")
    with another_operator(image("jobs")):
        seen = edited(served, revisionHistoryLimit=9)

        assert served.pods_of("points") == pods
        assert {it["metadata"]["name"] for it in served.list("controllerrevisions")} == revisions
        [same] = served.list("deployments.apps")
        assert same["metadata"]["generation"] == workload["metadata"]["generation"]
        assert seen["status"]["history"] == before["status"]["history"]
        assert settled_on("first-1")(seen)

        # The next change of a person brings both along: the operator really is another one.
        edited(served, server={"runtimeVersion": "2"})
        newborn = served.wait_for("mdep", "points", "in a canary", lambda it: bool(canary_of(it)))
        name = f"points-{canary_of(newborn)['revision']}"
        served.wait_until(
            "its workload is there", lambda: bool(served.get("deployments.apps", name))
        )
        [container] = served.get("deployments.apps", name)["spec"]["template"]["spec"]["containers"]
        edited(served, server={"runtimeVersion": None})
        served.wait_for("mdep", "points", "back at stable", settled_on("first-1"), ROLLOUT_SECONDS)

        assert container["image"] == image("jobs")
        assert "ALTERED" in {it["name"] for it in container["env"]}
    served.wait_until("only stable's pods run", lambda: served.pods_of("points") == pods)


def test_people_pause_resume_and_promote(asked: Namespace) -> None:
    plugin = ["kubectl-serinus", "-n", asked.name]
    import subprocess

    release(asked, "second-1")
    asked.wait_for("mdep", "points", "in its first step", canary_is_at(0), ROLLOUT_SECONDS)
    subprocess.run([*plugin, "pause", "points"], check=True)
    paused = asked.wait_for(
        "mdep", "points", "paused", lambda it: it["status"].get("phase") == "Paused"
    )
    subprocess.run([*plugin, "promote", "points"], check=True)
    done = asked.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)

    assert canary_of(paused)["pausedBy"]
    promotion = [it for it in done["status"]["history"] if it["action"] == "promote"][-1]
    assert promotion["actor"]
