"""Contributions are those of `shap`, which its users know."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, linear_model, tree

from serinus_runtime.artifact.compile_linear import compile_linear
from serinus_runtime.artifact.compile_trees import compile_trees
from serinus_runtime.artifact.explainer import LinearContributions
from serinus_runtime.artifact.tree_contributions import TreeContributions
from tests.support.client_environment import client_python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SCRIPT = Path(__file__).parent / "shap_values" / "explained.py"
MODULES = {"ensemble": ensemble, "linear_model": linear_model, "tree": tree}
FEW = {"n_estimators": 20, "max_depth": 6, "random_state": 0}
CASES: list[tuple[str, str, dict[str, Any], int]] = [
    ("linear_model", "LogisticRegression", {}, 2),
    ("linear_model", "Ridge", {}, 0),
    ("tree", "DecisionTreeClassifier", {"max_depth": 8, "random_state": 0}, 3),
    ("tree", "DecisionTreeRegressor", {"max_depth": 8, "random_state": 0}, 0),
    ("ensemble", "RandomForestClassifier", FEW, 2),
    ("ensemble", "RandomForestRegressor", FEW, 0),
    ("ensemble", "ExtraTreesClassifier", FEW, 3),
    ("ensemble", "GradientBoostingClassifier", FEW, 2),
    ("ensemble", "GradientBoostingRegressor", FEW, 0),
    ("ensemble", "HistGradientBoostingClassifier", {"max_iter": 20, "random_state": 0}, 2),
    ("ensemble", "HistGradientBoostingRegressor", {"max_iter": 20, "random_state": 0}, 0),
]


def data(n_classes: int) -> dict[str, np.ndarray]:
    """Rows in 32-bit floats, which all these models read alike, and labels of them."""
    chance = np.random.default_rng(1)
    rows = chance.normal(size=(600, 6)).astype(np.float32).astype(np.float64)
    scores = rows[:, 0] + rows[:, 1] * rows[:, 2] + chance.normal(0, 0.3, len(rows))
    labels = scores
    if n_classes:
        edges = np.quantile(scores, np.linspace(0, 1, n_classes + 1)[1:-1])
        labels = np.searchsorted(edges, scores)
    return {"rows": rows, "labels": labels, "explained": rows[:20]}


@dataclass(frozen=True)
class Told:
    """Base values (outputs,) and contributions (rows, columns, outputs)."""

    base: np.ndarray
    values: np.ndarray


@pytest.fixture(scope="module")
def of_shap(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What shap says of each model; all in one process, for it takes long to begin."""
    folder = tmp_path_factory.mktemp("arrays")
    for at, (*_, n_classes) in enumerate(CASES):
        np.savez(folder / f"{at}.npz", **data(n_classes))
    ended = subprocess.run(
        [client_python("shap"), SCRIPT, folder, json.dumps([model for *model, _ in CASES])],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = {}
    for (_, name, *_), one in zip(CASES, json.loads(ended.stdout.splitlines()[-1]), strict=True):
        values = np.array(one["values"])
        by_output = values if values.ndim == 3 else values[:, :, np.newaxis]
        told[name] = Told(np.array(one["base"]), by_output)
    return told


@pytest.mark.parametrize(
    ("module", "name", "parameters", "n_classes"), CASES, ids=[one[1] for one in CASES]
)
def test_they_are_the_same(
    module: str, name: str, parameters: dict[str, Any], n_classes: int, of_shap: dict[str, Told]
) -> None:
    arrays = data(n_classes)
    fitted = getattr(MODULES[module], name)(**parameters).fit(arrays["rows"], arrays["labels"])
    ours: Any
    if module == "linear_model":
        ours = LinearContributions(compile_linear(fitted)[0], arrays["rows"].mean(axis=0))
    else:
        forest = compile_trees(fitted).forest
        assert forest.cover is not None
        ours = TreeContributions(forest, forest.cover)

    contributions = ours.of(arrays["explained"])

    np.testing.assert_allclose(ours.base, of_shap[name].base, rtol=0, atol=1e-6)
    np.testing.assert_allclose(contributions, of_shap[name].values, rtol=0, atol=1e-6)
