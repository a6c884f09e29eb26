"""The Job of a run: golden files of whole manifests, and what each setting changes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from serinus.api.enums import Kind
from serinus.api.pod_settings import JobRunSettings, ResourceRequirements
from serinus.api.schema_model import SecretKeySelector
from serinus.manifests.job import (
    Run,
    StoreAccess,
    make_expiring_job,
    make_job,
)
from serinus.manifests.settings import Settings, StoreSettings

SETTINGS = Settings(jobs_image="registry.example/jobs:1", server_image="registry.example/server:1")
SHARED = Settings(
    jobs_image="jobs:1", server_image="server:1", store=StoreSettings(access_mode="ReadWriteMany")
)


def run(**more: Any) -> Run:
    return Run(
        kind=Kind.FEATURE_SET,
        owner="flights",
        namespace="aviation",
        name="flights-snapshot-3",
        identity="0" * 64,
        **more,
    )


def container(job: dict[str, Any]) -> dict[str, Any]:
    [only] = job["spec"]["template"]["spec"]["containers"]
    return dict(only)


def environment(job: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(job)["env"]}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("job-snapshot", run()),
        (
            "job-snapshot-with-private-columns",
            run(pseudonymization_key=SecretKeySelector(name="privacy", key="hash")),
        ),
        ("job-verification", run(store_access=StoreAccess.RESULTS_ONLY)),
    ],
)
def test_the_whole_job(name: str, given: Run, golden: Callable[[str, str], None]) -> None:
    golden(f"manifests/{name}.yaml", yaml.safe_dump(make_job(given, SETTINGS), sort_keys=True))


def test_the_pod_can_t_speak_to_kubernetes_and_holds_the_key_in_memory_only() -> None:
    key = SecretKeySelector(name="privacy", key="hash")
    pod = make_job(run(pseudonymization_key=key), SETTINGS)["spec"]["template"]["spec"]

    assert pod["automountServiceAccountToken"] is False
    in_memory = {"medium": "Memory", "sizeLimit": "1Mi"}
    assert {"name": "pseudonymization", "emptyDir": in_memory} in pod["volumes"]
    assert "PSEUDONYMIZATION_KEY" not in environment({"spec": {"template": {"spec": pod}}})


def test_the_pull_secrets_of_the_chart_reach_the_pod() -> None:
    job = make_job(run(), replace(SETTINGS, image_pull_secrets=("registry-key",)))

    assert job["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry-key"}]


def test_what_isn_t_said_has_a_default() -> None:
    job = make_job(run(), SETTINGS)

    assert job["spec"]["backoffLimit"] == 2
    assert job["spec"]["activeDeadlineSeconds"] == 3600
    assert "ttlSecondsAfterFinished" not in job["spec"]
    assert container(job)["resources"] == {
        "requests": {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
        "limits": {"memory": "4Gi", "ephemeral-storage": "10Gi"},
    }
    assert "OMP_NUM_THREADS" not in environment(job)


def test_what_the_spec_says_wins_also_a_zero() -> None:
    chosen = JobRunSettings(
        resources=ResourceRequirements(limits={"memory": "1Gi", "ephemeral-storage": "1Gi"}),
        active_deadline_seconds=60,
        backoff_limit=0,
    )
    job = make_job(run(settings=chosen), SETTINGS)

    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["activeDeadlineSeconds"] == 60
    assert container(job)["resources"]["limits"] == {"memory": "1Gi", "ephemeral-storage": "1Gi"}
    assert environment(job)["SERINUS_SCRATCH_BYTES"] == str(1 << 30)


@pytest.mark.parametrize(("limit", "threads"), [("250m", "1"), ("1500m", "2"), ("4", "4")])
def test_there_are_as_many_threads_as_cpus(limit: str, threads: str) -> None:
    chosen = JobRunSettings(resources=ResourceRequirements(limits={"cpu": limit}))
    variables = environment(make_job(run(settings=chosen), SETTINGS))

    assert variables["OMP_NUM_THREADS"] == threads
    assert variables["POLARS_MAX_THREADS"] == threads


def test_a_shared_store_keeps_no_pods_on_one_node() -> None:
    pod = make_job(run(), SHARED)["spec"]["template"]["spec"]

    assert "affinity" not in pod


def test_an_expiring_job_names_the_very_job_and_nothing_that_can_t_be_changed() -> None:
    stored = {**make_job(run(), SETTINGS)}
    stored["metadata"] = {**stored["metadata"], "uid": "u-1"}

    assert make_expiring_job(stored, 60) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "flights-snapshot-3", "namespace": "aviation", "uid": "u-1"},
        "spec": {"ttlSecondsAfterFinished": 60},
    }
