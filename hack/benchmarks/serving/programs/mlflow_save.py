"""Save an estimator as an MLflow model. Arguments: JOBLIB FOLDER.

skops, in which MLflow saves estimators, takes trees only where they are said to be trusted.
"""

import sys

import joblib
import mlflow.sklearn

trees = ["sklearn.tree._tree.Tree"]
mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], skops_trusted_types=trees)
