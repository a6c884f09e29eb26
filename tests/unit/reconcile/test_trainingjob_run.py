"""A TrainingJob's run, and which image it really had."""

from serinus.api.trainingjob import TrainingJob, TrainingRunStatus
from serinus.manifests.job import make_job
from serinus.manifests.settings import Settings
from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.snapshot import Children, TrainingJobSnapshot
from serinus.reconcile.trainingjob_run import image_used, run_input_of, run_of
from tests.support.run_world import NAMESPACE, SETTINGS, a_training_job

RESOURCE = a_training_job().resource
JOB = TrainingJob.model_validate(RESOURCE)
CHOSEN = TrainingRunStatus(name="delay-train-3", number=3, identity="i")
RUN = run_of(JOB, CHOSEN)


def seen(job: dict[str, object] | None) -> TrainingJobSnapshot:
    ref = ObjectRef("batch/v1", "Job", NAMESPACE, RUN.name)
    return TrainingJobSnapshot(RESOURCE, SETTINGS, Children({ref: job} if job else {}))


def test_the_image_is_that_of_the_job_though_the_operator_has_another_by_now() -> None:
    job = make_job(RUN, Settings(jobs_image="jobs:0", server_image="server:0"))
    owner = [{"uid": JOB.metadata.uid, "controller": True}]
    job["metadata"]["ownerReferences"] = owner

    assert image_used(RUN, JOB.metadata.uid, seen(job)) == "jobs:0"


def test_without_a_job_the_image_is_the_operator_s() -> None:
    assert image_used(RUN, JOB.metadata.uid, seen(None)) == SETTINGS.jobs_image


def test_the_pod_is_told_what_the_job_is_named_after() -> None:
    told = run_input_of(JOB, RUN, CHOSEN, image="jobs:1")

    assert (told.run, told.identity) == (RUN.name, RUN.identity)
    assert told.identity != CHOSEN.identity
    assert told.spec == JOB.spec
