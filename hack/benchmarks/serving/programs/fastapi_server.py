"""FastAPI as its documentation shows. Arguments: JOBLIB NAME PORT."""

import sys
from typing import Any

import joblib
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

estimator, name, port = joblib.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
app = FastAPI()


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Request(BaseModel):
    inputs: list[Tensor]


@app.post("/v2/models/{model}/infer")
async def infer(model: str, request: Request) -> dict[str, Any]:
    tensor = request.inputs[0]
    rows = np.array(tensor.data).reshape(tensor.shape)
    data = estimator.predict(rows).tolist()
    output = {"name": "predict", "datatype": "INT64", "shape": [len(data)], "data": data}
    return {"model_name": model, "outputs": [output]}


uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="error")
