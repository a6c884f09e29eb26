"""KServe's model server around an estimator, as its sklearnserver does it.

Arguments: JOBLIB NAME PORT [GRPC_PORT].
"""

import sys

import joblib

FILE, NAME, PORT, *GRPC_PORTS = sys.argv[1:]
sys.argv[1:] = []  # KServe reads the command line at import

from kserve import Model, ModelServer  # noqa: E402
from kserve.utils.utils import get_predict_input, get_predict_response  # noqa: E402


class Estimator(Model):
    def __init__(self, name):
        super().__init__(name)
        self.load()

    def load(self):
        self.estimator = joblib.load(FILE)
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None):  # noqa: ARG002 (KServe's word)
        rows = get_predict_input(payload)
        return get_predict_response(payload, self.estimator.predict(rows), self.name)


if __name__ == "__main__":
    grpc = {"grpc_port": int(GRPC_PORTS[0])} if GRPC_PORTS else {"enable_grpc": False}
    server = ModelServer(http_port=int(PORT), workers=1, **grpc)
    server.start([Estimator(NAME)])
