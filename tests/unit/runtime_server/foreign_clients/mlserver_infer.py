"""`mlserver infer` over HTTP, MLServer's stub and codecs over gRPC. Runs in their environment."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc
import numpy as np
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.grpc import dataplane_pb2_grpc
from mlserver.grpc.converters import ModelInferRequestConverter, ModelInferResponseConverter
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput

http, name, rows, grpc_url = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[5]
TYPES = json.loads(sys.argv[4])


def as_json() -> dict[str, object]:
    return {
        "inputs": [
            {
                "name": field,
                "datatype": datatype,
                "shape": [len(rows)],
                "data": [row[field] for row in rows],
            }
            for field, datatype in TYPES.items()
        ]
    }


def shown(response: InferenceResponse) -> dict[str, object]:
    outputs = {output.name: output for output in response.outputs}
    return {name: list(output.data.root) for name, output in outputs.items()}


def by_command() -> dict[str, object]:
    folder = Path(tempfile.mkdtemp())
    given, told = folder / "requests.jsonl", folder / "responses.jsonl"
    given.write_text(json.dumps(as_json()) + "\n")
    command = [str(Path(sys.executable).with_name("mlserver")), "infer"]
    paths = ["--input-data-path", str(given), "--output-data-path", str(told)]
    where = ["--url", http.removeprefix("http://"), "--model-name", name]
    subprocess.run([*command, *where, *paths], check=True)
    (line,) = told.read_text().splitlines()
    return shown(InferenceResponse.model_validate_json(line))


def encoded(field: str) -> RequestInput:
    values = [row[field] for row in rows]
    if TYPES[field] == "BYTES":
        return StringCodec.encode_input(field, values)
    return NumpyCodec.encode_input(field, np.array(values))


def by_stub(use_raw: bool) -> dict[str, object]:
    request = InferenceRequest(inputs=[encoded(field) for field in TYPES])
    with grpc.insecure_channel(grpc_url) as channel:
        stub = dataplane_pb2_grpc.GRPCInferenceServiceStub(channel)
        message = ModelInferRequestConverter.from_types(request, model_name=name, use_raw=use_raw)
        return shown(ModelInferResponseConverter.to_types(stub.ModelInfer(message, timeout=10)))


answers = [
    by_command(),
    by_stub(use_raw=False),
    by_stub(use_raw=True),
]
print(json.dumps({"answers": answers}))
