"""The ModelVersion of a result: complete, bounded, and told from a foreign one."""

import pytest
from pydantic import ValidationError

from serinus.api.job_contract import TrainingRunResult
from serinus.api.modelversion import ModelVersion
from serinus.api.trainingjob import TrainingJob, TrainingRunStatus
from serinus.reconcile.trained_version import is_of_run, shown_figures, trained_version
from tests.support.run_world import a_training_job, model_result

JOB = TrainingJob.model_validate(a_training_job(seed=5).resource)
RUN = TrainingRunStatus(name="delay-train-3", number=3, identity="i")


def result(**more: object) -> TrainingRunResult:
    said = {"run": RUN.name, "identity": "i", "outcome": "succeeded", "reason": "R", "message": "m"}
    return TrainingRunResult.model_validate({**said, **more})


def test_it_tells_all_that_the_model_came_from() -> None:
    body = trained_version(JOB, RUN, result(**model_result()), "jobs:7")
    version = ModelVersion.model_validate(body)

    assert version.metadata.name == "delay-3"
    assert version.spec.source is not None
    assert (version.spec.source.image, version.spec.source.seed) == ("jobs:7", 5)
    assert is_of_run(version, RUN)


@pytest.mark.parametrize("change", [{"name": "delay-train-4"}, {"identity": "other"}])
def test_a_version_of_another_run_is_told_apart(change: dict[str, str]) -> None:
    body = trained_version(JOB, RUN, result(**model_result()), "jobs:7")
    another = RUN.model_copy(update=change)

    assert not is_of_run(ModelVersion.model_validate(body), another)


def test_a_result_without_an_artifact_is_refused() -> None:
    with pytest.raises(ValidationError):
        trained_version(JOB, RUN, result(), "jobs:7")


def test_figures_are_cut_to_what_a_status_holds() -> None:
    shown = shown_figures({f"m{number:02}": "1" * 99 for number in range(40)})

    assert len(shown) == 32
    assert set(map(len, shown.values())) == {32}
