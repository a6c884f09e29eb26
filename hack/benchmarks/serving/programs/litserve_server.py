"""LitServe as its documentation shows. Arguments: JOBLIB NAME PORT."""

import sys

import joblib
import litserve
import numpy as np


class Api(litserve.LitAPI):
    def setup(self, device):  # noqa: ARG002 (LitServe's word)
        self.estimator = joblib.load(sys.argv[1])

    def decode_request(self, request):
        return np.array(request["instances"])

    def predict(self, rows):
        return self.estimator.predict(rows)

    def encode_response(self, predicted):
        return {"predictions": predicted.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[3]), log_level="error", generate_client_file=False
    )
