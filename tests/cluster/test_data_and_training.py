"""Snapshots, training and verification in real Jobs: what is refused, kept and found again."""

from tests.support import small_model
from tests.support.live_cluster import (
    OPERATOR_NAMESPACE,
    Namespace,
    condition,
    kubectl,
    stable_model,
)

RUN_SECONDS = 120
PROMISE = {"expect": {"min": "0", "max": "1"}}


def phase_is(word: str):
    """Predicate: the phase."""
    return lambda it: it.get("status", {}).get("phase") == word


def test_new_data_that_breaks_an_expectation_keeps_the_old_snapshot(data: Namespace) -> None:
    data.apply(small_model.feature_set(x1=PROMISE))
    before = data.wait_for(
        "fset", "points", "ready", lambda it: condition(it, "Ready")[0] == "True", RUN_SECONDS
    )
    data.apply(small_model.feature_set(x1=PROMISE, file="broken.csv"))
    after = data.wait_for(
        "fset",
        "points",
        "invalid",
        lambda it: condition(it, "DataValid")[0] == "False",
        RUN_SECONDS,
    )
    data.apply(small_model.training_job("first"))
    trained = data.wait_for("mver", "first-1", "ready", phase_is("Ready"), RUN_SECONDS)

    assert after["status"]["latestSnapshot"] == before["status"]["latestSnapshot"]
    assert "x1" in condition(after, "DataValid")[2]
    assert condition(after, "Ready")[0] == "True"
    used = trained["spec"]["source"]["featureSnapshots"][0]["digest"]
    assert used == before["status"]["latestSnapshot"]["digest"]


def test_a_version_that_misses_its_gate_is_never_served(data: Namespace) -> None:
    data.apply(
        small_model.feature_set(),
        small_model.training_job("first"),
        small_model.training_job("poor", min_roc_auc="0.9999"),
        small_model.deployment("points", "first-1"),
    )
    poor = data.wait_for("mver", "poor-1", "rejected", phase_is("Rejected"), RUN_SECONDS)
    data.wait_for("mdep", "points", "healthy", phase_is("Healthy"), RUN_SECONDS)
    data.apply(small_model.deployment("points", "poor-1"))
    refused = data.wait_for(
        "mdep",
        "points",
        "told no",
        lambda it: condition(it, "ModelResolved")[1] == "ModelVersionRejected",
    )

    assert poor["spec"]["evaluation"]["passed"] is False
    assert stable_model(refused) == "first-1"
    revisions = {
        it["metadata"]["labels"]["serinus.dev/revision"]
        for it in data.list("pods", "serinus.dev/revision")
    }
    assert revisions == {refused["status"]["stable"]["revision"]}


def test_an_artifact_that_was_changed_on_disk_is_refused(data: Namespace) -> None:
    data.apply(small_model.feature_set(), small_model.training_job("first"))
    good = data.wait_for("mver", "first-1", "ready", phase_is("Ready"), RUN_SECONDS)
    folder = good["spec"]["storageUri"].removeprefix("file://")
    change = (
        f"import pathlib; p = next(pathlib.Path('{folder}').glob('*.npz')); "
        "b = bytearray(p.read_bytes()); b[len(b) // 2] ^= 1; p.write_bytes(b)"
    )
    data.apply(_store_pod("tamper", ["python", "-c", change], data))
    data.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/tamper", "--timeout=60s")
    copy = {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": "copied"},
        "spec": {
            key: good["spec"][key] for key in ("modelName", "modelFormat", "storageUri", "digest")
        },
    }
    data.apply(copy)
    refused = data.wait_for("mver", "copied", "rejected", phase_is("Rejected"), RUN_SECONDS)

    assert condition(refused, "ArtifactVerified")[:2] == ("False", "ArtifactChanged")


def test_a_result_is_found_after_its_pod_and_job_are_gone(data: Namespace) -> None:
    data.apply(small_model.feature_set())
    data.wait_for(
        "fset", "points", "ready", lambda it: condition(it, "Ready")[0] == "True", RUN_SECONDS
    )
    operator = ["-n", OPERATOR_NAMESPACE, "scale", "deployment.apps/serinus"]
    data.apply(small_model.training_job("first"))
    data.wait_until("the Job is there", lambda: bool(data.get("job", "first-train-1")))
    kubectl(*operator, "--replicas=0")
    try:
        data.kubectl(
            "wait",
            "--for=condition=Complete",
            "job/first-train-1",
            "--timeout=90s",
            timeout_seconds=100,
        )
        data.kubectl("delete", "job", "first-train-1", "--cascade=foreground")
    finally:
        kubectl(*operator, "--replicas=1")
    done = data.wait_for("mver", "first-1", "ready", phase_is("Ready"), RUN_SECONDS)
    job = data.get("tjob", "first")

    assert job["status"]["lastRun"]["number"] == 1
    assert done["spec"]["source"]["run"] == "first-train-1"


def _store_pod(name: str, command: list[str], namespace: Namespace) -> dict:
    from tests.cluster.conftest import image

    pod = small_model._pod(
        name,
        image("jobs"),
        command,
        volume={"name": "store", "persistentVolumeClaim": {"claimName": "serinus-store"}},
    )
    container = pod["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "store", "mountPath": "/store"}]
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["securityContext"]["fsGroup"] = 65532
    return pod
