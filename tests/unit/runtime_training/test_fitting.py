"""Fitting an estimator, and what is told of it."""

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from serinus.api.trainingjob import DecisionRule
from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.training.examples import Examples, Side
from serinus_runtime.training.fitting import fitted, scores
from serinus_runtime.user_error import TrainerError

VALUES = np.linspace(-1.0, 1.0, 200).reshape(-1, 1)


def rows(*, classes: tuple[object, ...] = (False, True)) -> Examples:
    truth = (VALUES[:, 0] > 0.2).astype(int) if classes else VALUES[:, 0] * 3.0
    side = Side(pl.DataFrame({"x": VALUES[:, 0]}), VALUES, truth, rejected=0)
    return Examples((InputSpec("x", Datatype.FP64),), classes, side, side, late_labels=0)


def test_a_classifier_gives_probabilities_in_the_order_of_its_classes() -> None:
    model = fitted(LogisticRegression(), rows(classes=("no", "yes")), None)

    answers = scores(model.pipeline, np.array([[-1.0], [1.0]]), classes=2)

    assert list(model.pipeline.classes_) == ["no", "yes"]
    assert answers[0, 0] > 0.9
    assert answers[1, 1] > 0.9
    assert (model.threshold, model.stop_reason, model.warnings) == (0.5, "Completed", ())


def test_a_regressor_gives_values_and_has_no_threshold() -> None:
    model = fitted(Ridge(alpha=1e-9), rows(classes=()), None)

    assert scores(model.pipeline, np.array([[0.5]]), classes=0) == pytest.approx(1.5)
    assert model.threshold is None
    with pytest.raises(TrainerError, match="for `task: classification`"):
        fitted(Ridge(), rows(classes=()), DecisionRule(threshold="0.5"))


def test_a_threshold_is_chosen_on_the_training_rows() -> None:
    model = fitted(LogisticRegression(), rows(), DecisionRule(optimize="f1"))

    found = scores(model.pipeline, VALUES, classes=2)[:, 1] >= (model.threshold or 0.0)
    assert (found == (VALUES[:, 0] > 0.2)).all()


def test_why_training_stopped_is_told() -> None:
    early = HistGradientBoostingClassifier(
        max_iter=500, early_stopping=True, n_iter_no_change=3, random_state=0
    )

    assert fitted(early, rows(), None).stop_reason == "EarlyStopping"
    short = fitted(LogisticRegression(max_iter=1), rows(), None)
    assert short.stop_reason == "MaxIterationsReached"
    assert "before it converged" in short.warnings[0]


def test_what_scikit_learn_refuses_is_told_in_its_words() -> None:
    with pytest.raises(
        TrainerError, match=r"trainer\.sklearn: can't fit: The 'C' parameter of Logistic"
    ):
        fitted(LogisticRegression(C="much"), rows(), None)
