"""A TrainingJob's run as its Job does it: snapshot in, package and figures out."""

from typing import Any

import pytest

from serinus.api.enums import Outcome
from serinus.api.job_contract import FeatureSetRunResult, TrainingRunResult, VerificationRunInput
from serinus.api.modelversion import ModelVersionSpec
from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.verify import verify
from serinus_runtime.features.snapshot import DATA_FILE
from serinus_runtime.user_error import (
    ColumnError,
    LabelError,
    SnapshotError,
    TrainerError,
    UserError,
)
from tests.support.feature_sets import HONEST_SQL, DataPlane, training_job

pytestmark = pytest.mark.slow

REGRESSION_SQL = HONEST_SQL.replace(
    "coalesce(delay > 15, true) AS late", "CAST(coalesce(delay, 99) AS DOUBLE) AS late"
)


@pytest.fixture
def snapshot(plane: DataPlane) -> FeatureSetRunResult:
    return plane.snapshot()


def verified(plane: DataPlane, result: TrainingRunResult) -> str:
    """Reason that the verification Job gives for the version of a run."""
    assert result.digest is not None
    assert result.storage_uri is not None
    spec = ModelVersionSpec(
        model_name="flight-delay",
        model_format={"name": "serinus"},
        storage_uri=result.storage_uri,
        digest=result.digest,
        signature=result.signature,
    )
    run = VerificationRunInput(
        run="v", identity="i", namespace="default", model_version="m", spec=spec
    )
    return verify(run, plane.store.root).reason


@pytest.mark.parametrize(
    ("estimator", "parameters", "kind"),
    [
        ("LogisticRegression", {}, "linear"),
        ("HistGradientBoostingClassifier", {"max_iter": "20"}, "forest"),
        ("RandomForestClassifier", {"n_estimators": "10"}, "forest"),
        ("GradientBoostingClassifier", {"n_estimators": "10"}, "forest"),
        ("DecisionTreeClassifier", {"max_depth": "3"}, "forest"),
        ("KNeighborsClassifier", {}, "native"),  # of rows at one distance it takes others
        ("MLPClassifier", {"max_iter": "20"}, "onnx"),
        ("GaussianNB", {}, "onnx"),
        ("SVC", {"probability": "true"}, "native"),
    ],
)
def test_a_classifier_is_trained_packaged_and_verified(
    plane: DataPlane,
    snapshot: FeatureSetRunResult,
    estimator: str,
    parameters: dict[str, str],
    kind: str,
) -> None:
    trainer = {"sklearn": {"estimator": estimator, "parameters": parameters}}

    result = plane.train(snapshot, training_job(trainer=trainer))

    assert result.outcome is Outcome.SUCCEEDED
    assert float(result.metrics["roc_auc"]) > 0.6
    assert result.signature is not None
    assert [item.name for item in result.signature.inputs] == [
        "carrier",
        "distance",
        "delay_so_far",
    ]
    model = load(plane.store.path(result.storage_uri or ""), result.digest or "")
    assert model.predictor.kind == kind, model.manifest.native_reason
    assert verified(plane, result) == "Verified"


@pytest.mark.parametrize("estimator", ["Ridge", "HistGradientBoostingRegressor"])
def test_a_regressor_is_trained(plane: DataPlane, estimator: str) -> None:
    snapshot = plane.snapshot(
        transform={"sql": REGRESSION_SQL}, labels=[{"name": "late", "type": "float64"}]
    )

    result = plane.train(snapshot, training_job(estimator, task="regression"))

    assert set(result.metrics) == {"mae", "rmse", "r2"}  # a constant answer has no figures here
    assert verified(plane, result) == "Verified"


def test_the_same_run_gives_the_same_package(
    plane: DataPlane, snapshot: FeatureSetRunResult
) -> None:
    job = training_job("RandomForestClassifier", seed=5)

    assert plane.train(snapshot, job).digest == plane.train(snapshot, job).digest
    assert plane.train(snapshot, job).digest != plane.train(snapshot, job | {"seed": 6}).digest


def test_a_missed_gate_rejects_the_version_but_packages_it(
    plane: DataPlane, snapshot: FeatureSetRunResult
) -> None:
    gates = [{"metric": "roc_auc", "min": "0.999"}, {"metric": "log_loss", "max": "9"}]

    result = plane.train(snapshot, training_job(evaluation={"gates": gates}))

    assert (result.outcome, result.reason) == (Outcome.REJECTED, "GateFailed")
    assert "roc_auc is 0." in result.message
    assert "the gate asks for min 0.999" in result.message
    assert [gate.passed for gate in result.gates] == [False, True]
    assert verified(plane, result) == "Verified"


def test_the_threshold_is_part_of_the_package(
    plane: DataPlane, snapshot: FeatureSetRunResult
) -> None:
    low = plane.train(snapshot, training_job(decision={"threshold": "0.2"}))
    best = plane.train(snapshot, training_job(decision={"optimize": "f1"}))

    models = [load(plane.store.path(r.storage_uri or ""), r.digest or "") for r in (low, best)]

    assert models[0].manifest.decision_threshold == 0.2
    assert 0.0 < (models[1].manifest.decision_threshold or 0.0) < 1.0
    assert low.digest != best.digest


def test_policies_hold_in_training_as_in_serving(plane: DataPlane) -> None:
    features = [
        {"name": "carrier", "type": "string"},
        {
            "name": "distance",
            "type": "float64",
            "expect": {"max": "2000"},
            "onViolation": {"action": "reject"},
        },
        {
            "name": "delay_so_far",
            "type": "float64",
            "onMissing": {"action": "impute", "strategy": "mean"},
        },
    ]

    result = plane.train(plane.snapshot(features=features), training_job())

    assert any("policies rejected" in warning for warning in result.warnings)
    model = load(plane.store.path(result.storage_uri or ""), result.digest or "")
    encoder = RowEncoder(model.manifest.signature)
    with pytest.raises(ValueError, match="`distance`"):
        encoder.rows([{"carrier": "AA", "distance": 2500.0, "delay_so_far": 1.0}])
    imputed = encoder.rows([{"carrier": "AA", "distance": 500.0}])[0, 2]
    assert imputed == model.manifest.signature.inputs[2].constant


def test_missing_values_that_tell_the_label_are_warned_of(plane: DataPlane) -> None:
    features = [{"name": "gate", "type": "float64"}, {"name": "distance", "type": "float64"}]
    gate = "CASE WHEN delay <= 15 THEN 1 END AS gate"
    sql = f"SELECT *, {gate}, coalesce(delay > 15, true) AS late FROM flights"
    snapshot = plane.snapshot(
        features=features, transform={"sql": sql}, leakCheck={"enabled": False}
    )

    result = plane.train(snapshot, training_job())

    assert result.warnings[0].startswith("MissingnessLeak: `gate` is missing in")


def test_an_estimator_that_stops_early_says_so(
    plane: DataPlane, snapshot: FeatureSetRunResult
) -> None:
    trainer = {"sklearn": {"estimator": "LogisticRegression", "parameters": {"max_iter": "1"}}}

    result = plane.train(snapshot, training_job(trainer=trainer))

    assert result.stop_reason == "MaxIterationsReached"
    assert any("before it converged" in warning for warning in result.warnings)


ONE_CLASS_SQL = HONEST_SQL.replace("coalesce(delay > 15, true)", "true")


@pytest.mark.parametrize(
    ("sql", "job", "error", "told"),
    [
        (ONE_CLASS_SQL, {}, LabelError, "`late` has one class in the 299 training rows: `true`"),
        (HONEST_SQL, {"label": "early"}, LabelError, "`early` is no label .* it has late"),
        (HONEST_SQL, {"features": ["speed"]}, ColumnError, "`speed` is no feature"),
        (
            HONEST_SQL,
            {"task": "regression", "trainer": {"sklearn": {"estimator": "Ridge"}}},
            LabelError,
            "predicts numbers",
        ),
        (
            HONEST_SQL,
            {"trainer": {"sklearn": {"estimator": "LogisticRegresion"}}},
            TrainerError,
            "Nearest: .*LogisticRegression",
        ),
        (
            HONEST_SQL,
            {
                "trainer": {
                    "sklearn": {"estimator": "LogisticRegression", "parameters": {"C": "-1"}}
                }
            },
            TrainerError,
            "The 'C' parameter of LogisticRegression must be",
        ),
        (
            HONEST_SQL,
            {
                "trainer": {
                    "sklearn": {
                        "estimator": "LinearDiscriminantAnalysis",
                        "parameters": {"shrinkage": "auto"},
                    }
                }
            },
            TrainerError,
            "can't fit: shrinkage not supported with 'svd' solver",
        ),
        (
            HONEST_SQL,
            {"evaluation": {"metrics": ["rmse"]}},
            TrainerError,
            "`rmse` isn't for classification. Use one of",
        ),
    ],
)
def test_bad_input_is_told_and_leaves_no_package(
    plane: DataPlane, sql: str, job: dict[str, Any], error: type[UserError], told: str
) -> None:
    snapshot = plane.snapshot(transform={"sql": sql})

    with pytest.raises(error, match=told):
        plane.train(snapshot, training_job() | job)

    assert not plane.store.models("flight-delay").exists()


def test_a_snapshot_changed_on_disk_is_refused(
    plane: DataPlane, snapshot: FeatureSetRunResult
) -> None:
    assert snapshot.snapshot is not None
    path = plane.store.path(snapshot.snapshot.uri) / DATA_FILE
    path.write_bytes(path.read_bytes() + b" ")

    with pytest.raises(SnapshotError, match=f"`{DATA_FILE}` has changed"):
        plane.train(snapshot, training_job())
