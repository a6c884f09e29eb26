"""tritonclient over gRPC, as its users write it. Runs in the clients' own environment."""

import json
import sys

import numpy as np
import tritonclient.grpc as triton

url, name, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = triton.InferenceServerClient(url)
assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready(name)
assert client.get_server_metadata().name == "serinus"
metadata = client.get_model_metadata(name)


def inputs() -> list[triton.InferInput]:
    made = []
    for tensor in metadata.inputs:
        values = np.array(
            [row[tensor.name] for row in rows], dtype=triton.triton_to_np_dtype(tensor.datatype)
        )
        given = triton.InferInput(tensor.name, [len(rows)], tensor.datatype)
        given.set_data_from_numpy(values)
        made.append(given)
    return made


answers = []
for wanted in (None, [triton.InferRequestedOutput(tensor.name) for tensor in metadata.outputs]):
    got = client.infer(name, inputs(), outputs=wanted, request_id="mine", client_timeout=10)
    assert got.get_response().id == "mine"
    answers.append(
        {
            "prediction": got.as_numpy("prediction").tolist(),
            "probability": got.as_numpy("probability").tolist(),
        }
    )
refused = []
wrong = triton.InferInput("distance", [1], "BYTES")
wrong.set_data_from_numpy(np.array(["far"], dtype=object))
for asked, given in ((name, [wrong]), ("other", inputs())):
    try:
        client.infer(asked, given)
    except triton.InferenceServerException as error:
        refused.append([error.status(), error.message()])
print(json.dumps({"answers": answers, "refused": refused}))
