"""A BentoML service as its documentation shows; the model's file is in `BENCH_JOBLIB`."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Bench:
    def __init__(self) -> None:
        self.estimator = joblib.load(os.environ["BENCH_JOBLIB"])

    @bentoml.api(route="/predict")
    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.estimator.predict(x)
