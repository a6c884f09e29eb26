"""scikit-learn's estimators by name."""

import pytest

from serinus.api.trainingjob import Task
from serinus_runtime.training.estimators import estimator_names, make_estimator, parsed
from serinus_runtime.user_error import TrainerError


def test_parameters_are_json_else_text() -> None:
    model = make_estimator(
        Task.CLASSIFICATION,
        "HistGradientBoostingClassifier",
        {"max_iter": "7", "learning_rate": "0.5", "early_stopping": "false", "scoring": "loss"},
        seed=3,
    )

    chosen = model.get_params()
    assert (chosen["max_iter"], chosen["learning_rate"]) == (7, 0.5)
    assert (chosen["early_stopping"], chosen["scoring"]) == (False, "loss")
    assert chosen["random_state"] == 3


def test_a_given_random_state_wins() -> None:
    model = make_estimator(Task.REGRESSION, "SGDRegressor", {"random_state": "9"}, seed=3)

    assert model.random_state == 9


@pytest.mark.parametrize(("text", "value"), [("null", None), ("[1, 2]", [1, 2]), ("l2", "l2")])
def test_a_parameter_is_read(text: str, value: object) -> None:
    assert parsed(text) == value


@pytest.mark.parametrize(
    ("task", "name", "parameters", "told"),
    [
        (
            Task.CLASSIFICATION,
            "HistGradientBoosting",
            {},
            "`HistGradientBoosting` is no classifier .* Nearest: .*HistGradientBoostingClassifier",
        ),
        (Task.REGRESSION, "LogisticRegression", {}, "is no regressor"),
        (Task.CLASSIFICATION, "VotingClassifier", {}, "can be made by name"),
        (Task.CLASSIFICATION, "os.system", {}, "is no classifier"),
        (
            Task.CLASSIFICATION,
            "RandomForestClassifier",
            {"n_estimator": "10"},
            "has no parameter `n_estimator`. Nearest: n_estimators",
        ),
        (Task.CLASSIFICATION, "LinearSVC", {}, "gives no probabilities"),
    ],
)
def test_what_isnt_there_is_told_with_what_is_near(
    task: Task, name: str, parameters: dict[str, str], told: str
) -> None:
    with pytest.raises(TrainerError, match=told):
        make_estimator(task, name, parameters, seed=0)


def test_the_list_holds_no_estimator_of_estimators() -> None:
    names = estimator_names(Task.CLASSIFICATION)

    assert "RandomForestClassifier" in names
    assert not {"StackingClassifier", "OneVsRestClassifier"} & set(names)
