"""The objects of the scenes are valid, and each variant differs by its one mistake."""

from pathlib import Path

import pytest
import yaml

from flights_demo import manifests
from flights_demo.manifests import ROLLING
from serinus.api.deployment import Deployment
from serinus.api.featureset import FeatureSet
from serinus.api.modelversion import ModelVersion
from serinus.api.trainingjob import TrainingJob
from serinus_runtime.features.sql_fence import check_statement
from serinus_runtime.features.transformed_rows import transform_sql
from tests.support.examples import EXAMPLES

KINDS = {
    "FeatureSet": FeatureSet,
    "TrainingJob": TrainingJob,
    "ModelVersion": ModelVersion,
    "Deployment": Deployment,
}
VARIANTS = {
    "short haul": manifests.short_haul(),
    "hours": manifests.hours(),
    "peeking": manifests.peeking(leak_check=False),
}


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_examples_are_valid(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    KINDS[document["kind"]].model_validate(document)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_variants_are_valid_and_the_job_reads_the_variant(variant) -> None:
    features, job = variant

    FeatureSet.model_validate(features)
    TrainingJob.model_validate(job)
    assert job["spec"]["featureSetRefs"] == [{"name": features["metadata"]["name"]}]
    assert job["spec"]["trainer"] == manifests.example("training-job-boosted")["spec"]["trainer"]


FEATURE_SETS = {
    "flights": manifests.feature_set(),
    **{name: features for name, (features, _) in VARIANTS.items()},
    "minimal": yaml.safe_load(Path("hack/examples/minimal/featureset.yaml").read_text()),
}


@pytest.mark.parametrize("document", FEATURE_SETS.values(), ids=FEATURE_SETS)
def test_all_transforms_pass_the_fence_around_sql(document) -> None:
    spec = FeatureSet.model_validate(document).spec

    check_statement(transform_sql(spec), [source.name for source in spec.sources])


def test_short_haul_differs_by_a_promise_only() -> None:
    features, _ = manifests.short_haul()
    honest = manifests.feature_set()

    changed = [
        mine["name"]
        for mine, theirs in zip(
            features["spec"]["features"], honest["spec"]["features"], strict=True
        )
        if mine != theirs
    ]
    assert changed == ["distance"]
    assert features["spec"]["transform"] == honest["spec"]["transform"]


def test_hours_say_so_in_their_units() -> None:
    features, _ = manifests.hours()

    units = {item["name"]: item.get("unit") for item in features["spec"]["features"]}
    assert {units[name] for name in ROLLING} == {"h"}
    assert units["distance"] == "mi"


def test_peeking_moves_departures_and_questions_to_the_schedule() -> None:
    features, _ = manifests.peeking(leak_check=True)

    assert features["spec"]["leakCheck"] == {"enabled": True}
    assert "SELECT departed_at" not in features["spec"]["transform"]["sql"]
