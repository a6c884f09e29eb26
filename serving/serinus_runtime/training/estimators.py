"""scikit-learn's estimators by name: an allow-list, with parameters given as text."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Mapping
from typing import Any

from sklearn.utils import all_estimators

from serinus.api.trainingjob import Task
from serinus_runtime.user_error import TrainerError

_FILTERS = {Task.CLASSIFICATION: "classifier", Task.REGRESSION: "regressor"}
_SHOWN_NAMES = 3


def estimator_names(task: Task) -> tuple[str, ...]:
    """Names that may be used: what can be made without giving it other estimators."""
    return tuple(sorted(_classes(task)))


def make_estimator(task: Task, name: str, parameters: Mapping[str, str], *, seed: int) -> Any:
    """An estimator, unfitted; `seed` is its `random_state` where it has one and none is given.

    Raises
    ------
    TrainerError
        The name or a parameter is unknown; the text shows the nearest ones.
    """
    classes = _classes(task)
    if name not in classes:
        raise TrainerError(
            f"trainer.sklearn.estimator: `{name}` is no {_FILTERS[task]} of scikit-learn that can "
            f"be made by name.{_nearest(name, classes)}"
        )
    known = _parameters(classes[name])
    unknown = [parameter for parameter in parameters if parameter not in known]
    if unknown:
        raise TrainerError(
            f"trainer.sklearn.parameters: {name} has no parameter `{unknown[0]}`."
            f"{_nearest(unknown[0], known)}"
        )
    values = {parameter: parsed(text) for parameter, text in parameters.items()}
    if "random_state" in known:
        values.setdefault("random_state", seed)
    estimator = classes[name](**values)
    if task is Task.CLASSIFICATION and not hasattr(estimator, "predict_proba"):
        raise TrainerError(
            f"trainer.sklearn.estimator: {name} with these parameters gives no probabilities, "
            "which Serinus decides and judges by. Choose another, such as LogisticRegression"
        )
    return estimator


def parsed(text: str) -> Any:
    """The value of a parameter: JSON where it is, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _classes(task: Task) -> dict[str, Any]:
    return {
        name: found
        for name, found in all_estimators(type_filter=_FILTERS[task])
        if not _required(found) and not name.startswith(("MultiOutput", "MultiTask"))
    }


def _parameters(found: Any) -> tuple[str, ...]:
    return tuple(name for name in inspect.signature(found.__init__).parameters if name != "self")


def _required(found: Any) -> bool:
    """Whether it can't be made without an argument: it wraps other estimators."""
    parameters = list(inspect.signature(found.__init__).parameters.values())[1:]
    return any(
        parameter.default is inspect.Parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        for parameter in parameters
    )


def _nearest(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, list(known), n=_SHOWN_NAMES, cutoff=0.4)
    return f" Nearest: {', '.join(near)}" if near else f" Known: {', '.join(sorted(known)[:12])}, …"
