"""Each way in which input can be bad has a test that shows the message; here is which.

A test that is renamed or goes is missed here.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CATALOGUE: dict[str, tuple[str, ...]] = {
    "unknown field": (
        "apiserver/test_bad_manifests.py::test_kubectl_shows_the_mistake",
        "apiserver/test_crds.py::test_refused_by_the_schema",
        "unit/cli/test_lint.py::test_a_mistake_is_told_with_its_place",
    ),
    "both or none of an exclusive choice": (
        "apiserver/test_bad_manifests.py::test_kubectl_shows_the_mistake",
        "apiserver/test_crds.py::test_refused_by_a_rule",
    ),
    "weight out of range": ("apiserver/test_crds.py::test_refused_by_the_schema",),
    "weights that don't rise": ("apiserver/test_crds.py::test_refused_by_a_rule",),
    "missing Secret": (
        "unit/reconcile/test_featureset.py::test_what_a_pod_waits_for_is_told_once",
        (
            "unit/reconcile/test_pod_problems.py"
            "::test_a_missing_secret_is_told_in_the_deployment_s_message"
        ),
        (
            "unit/runtime_features/test_featureset_run.py"
            "::test_bad_input_is_told_and_leaves_no_snapshot"
        ),
    ),
    "missing column": (
        (
            "unit/runtime_features/test_columns.py"
            "::test_a_missing_column_is_named_with_those_that_are_there"
        ),
        "unit/runtime_features/test_run.py::test_what_a_person_has_to_change_is_a_result",
        "unit/runtime_training/test_training_run.py::test_bad_input_is_told_and_leaves_no_package",
    ),
    "wrong type": (
        "apiserver/test_crds.py::test_refused_by_the_schema",
        "unit/runtime_features/test_columns.py::test_a_wrong_type_is_told_with_what_is_there",
    ),
    "empty source": (
        "unit/runtime_features/test_featureset_run.py::test_an_empty_source_is_told",
        (
            "unit/runtime_features/test_source_files.py"
            "::test_an_address_that_leads_nowhere_or_out_is_named"
        ),
        "unit/runtime_features/test_tables.py::test_what_cant_be_read_is_named_by_its_address",
    ),
    "unreadable Parquet": (
        "unit/runtime_features/test_tables.py::test_what_cant_be_read_is_named_by_its_address",
    ),
    "label with one class": (
        "unit/runtime_training/test_examples.py::test_a_label_that_cant_be_learnt_is_told",
        "unit/runtime_training/test_training_run.py::test_bad_input_is_told_and_leaves_no_package",
    ),
    "unknown estimator": (
        "unit/runtime_training/test_estimators.py::test_what_isnt_there_is_told_with_what_is_near",
        "unit/runtime_training/test_training_run.py::test_bad_input_is_told_and_leaves_no_package",
    ),
    "unknown metric": (
        "apiserver/test_crds.py::test_refused_by_the_schema",
        "unit/runtime_features/test_run.py::test_an_unknown_metric_is_told_with_those_that_exist",
        (
            "unit/runtime_training/test_evaluation.py"
            "::test_a_metric_of_the_other_task_is_told_with_those_that_fit"
        ),
    ),
    "PromQL that returns two series, NaN or nothing": (
        "unit/analysis/test_scalar.py::test_what_was_wrong_is_said",
        "unit/analysis/test_scalar.py::test_verdict",
    ),
    "model reference that doesn't exist": (
        "unit/reconcile/test_model_reference.py::test_a_reference",
        "property/world/test_orders_and_deaths.py::test_what_is_missing_is_waited_for_by_name",
        "property/world/test_orders_and_deaths.py::test_the_order_of_manifests_doesnt_matter",
    ),
    "foreign object under one of our names": (
        (
            "property/world/test_foreign_objects.py"
            "::test_a_foreign_object_under_a_name_of_ours_is_untouched_and_told"
        ),
        (
            "unit/reconcile/test_trainingjob.py"
            "::test_a_foreign_version_under_the_run_s_name_is_left_alone"
        ),
    ),
}


@pytest.mark.parametrize("bad", CATALOGUE)
def test_bad_input_has_its_tests(bad: str) -> None:
    for test in CATALOGUE[bad]:
        path, _, name = test.partition("::")
        tree = ast.parse((TESTS / path).read_text())
        functions = {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}

        assert name in functions, f"{path} has no {name}"
