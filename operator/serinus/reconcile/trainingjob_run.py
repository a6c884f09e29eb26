"""A TrainingJob's run as its Job is made from it, and what the Job is told."""

from __future__ import annotations

from serinus.api.enums import Kind
from serinus.api.job_contract import TrainingRunInput
from serinus.api.trainingjob import TrainingJob, TrainingRunStatus
from serinus.manifests.job import Run
from serinus.reconcile.run_execution import key_of
from serinus.reconcile.runs import run_identity_for, stored_job
from serinus.reconcile.snapshot import TrainingJobSnapshot


def run_of(training_job: TrainingJob, chosen: TrainingRunStatus) -> Run:
    """The run as its Job is made from it."""
    spec, metadata = training_job.spec, training_job.metadata
    return Run(
        kind=Kind.TRAINING_JOB,
        owner=metadata.name,
        namespace=metadata.namespace,
        name=chosen.name,
        identity=run_identity_for(metadata.uid, chosen.identity),
        settings=spec,
    )


def run_input_of(
    training_job: TrainingJob, run: Run, chosen: TrainingRunStatus, *, image: str
) -> TrainingRunInput:
    """What the run's pod is told."""
    return TrainingRunInput(
        run=run.name,
        identity=run.identity,
        namespace=run.namespace,
        training_job=run.owner,
        spec=training_job.spec,
        snapshots=chosen.snapshots,
        image=image,
    )


def image_used(run: Run, owner_uid: str, snapshot: TrainingJobSnapshot) -> str:
    """The image that the run's Job really has: the operator's may be another one by now."""
    job = stored_job(key_of(run, owner_uid), snapshot.children) or {}
    pod = job.get("spec", {}).get("template", {}).get("spec", {})
    images = [container.get("image") for container in pod.get("containers", ())]
    return str(images[0]) if images and images[0] else snapshot.settings.jobs_image
