"""What can be said against a ModelVersion without a look at its artifact."""

import pytest

from serinus.api.enums import Reason
from serinus.api.modelversion import ModelVersionSpec
from serinus.reconcile.modelversion_rules import format_problem, missed_gates, refusal
from tests.support.run_world import MODEL_VERSION_SPEC

MISSED = {"metric": "roc_auc", "value": "0.55", "min": "0.60", "passed": False}
PASSED = {"metric": "brier", "value": "0.1", "max": "0.2", "passed": True}
BETWEEN = {"metric": "mae", "value": "9", "min": "1", "max": "3", "passed": False}


def spec(**changes: object) -> ModelVersionSpec:
    return ModelVersionSpec.model_validate({**MODEL_VERSION_SPEC, **changes})


def test_serinus_own_format_is_accepted() -> None:
    assert format_problem(spec()) is None
    assert refusal(spec()) is None


@pytest.mark.parametrize("name", ["pickle", "PICKLE", "joblib", "dill", "torchscript"])
def test_code_in_the_shape_of_a_model_is_refused(name: str) -> None:
    note = refusal(spec(modelFormat={"name": name}))

    assert note is not None
    assert note.reason == Reason.FORMAT_REFUSED
    assert "loading it runs code" in note.message


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ([], "spec.evaluation.passed is false"),
        ([MISSED, PASSED], "served: roc_auc is 0.55, outside min 0.60"),
        ([BETWEEN], "served: mae is 9, outside min 1 and max 3"),
        ([MISSED, BETWEEN], "0.60; mae is 9"),
    ],
)
def test_missed_gates_are_told_with_value_and_limit(
    gates: list[dict[str, object]], words: str
) -> None:
    missed = missed_gates(spec(evaluation={"passed": False, "gates": gates}))

    assert missed is not None
    assert words in missed
    assert "brier" not in missed


def test_a_format_is_judged_before_the_gates() -> None:
    note = refusal(spec(modelFormat={"name": "pickle"}, evaluation={"passed": False}))

    assert note is not None
    assert note.reason == Reason.FORMAT_REFUSED
