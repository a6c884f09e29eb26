"""The ModelVersion of a run reads back as what it was made from."""

from serinus.api.modelversion import ModelVersion, ModelVersionSpec
from serinus.manifests.model_version import make_model_version
from tests.support.run_world import MODEL_VERSION_SPEC


def test_it_reads_back_and_names_its_training_job_in_a_label() -> None:
    spec = ModelVersionSpec.model_validate(MODEL_VERSION_SPEC)
    body = make_model_version("delay-1", "aviation", training_job="delay", spec=spec)
    version = ModelVersion.model_validate(body)

    assert version.spec == spec
    assert version.metadata.name == "delay-1"
    assert version.metadata.labels["serinus.dev/trainingjob"] == "delay"
    assert "ownerReferences" not in body["metadata"]
