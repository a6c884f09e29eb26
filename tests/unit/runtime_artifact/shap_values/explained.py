"""What shap says of models that are fitted here as they were in the test. Runs in its environment.

Arguments: a folder with the arrays `rows`, `labels` and `explained` of each model, and the models
as JSON: module, name, parameters. Prints JSON: of each the base values, and the contributions.
"""

import json
import sys
from pathlib import Path

import numpy as np
import shap
from sklearn import ensemble, linear_model, tree

MODULES = {"ensemble": ensemble, "linear_model": linear_model, "tree": tree}


def explained(arrays: Path, module: str, name: str, parameters: dict) -> dict:
    given = np.load(arrays)
    model = getattr(MODULES[module], name)(**parameters).fit(given["rows"], given["labels"])
    if module == "linear_model":
        background = shap.maskers.Independent(given["rows"], max_samples=len(given["rows"]))
        explainer = shap.LinearExplainer(model, background)
    else:
        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    values = np.asarray(explainer.shap_values(given["explained"]))
    base = np.atleast_1d(np.asarray(explainer.expected_value, dtype=float))
    return {"base": base.tolist(), "values": values.tolist()}


models = json.loads(sys.argv[2])
told = [explained(Path(sys.argv[1]) / f"{at}.npz", *model) for at, model in enumerate(models)]
print(json.dumps(told))
