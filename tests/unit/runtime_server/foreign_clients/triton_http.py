"""tritonclient over HTTP, as its users write it. Runs in the clients' own environment."""

import json
import sys

import numpy as np
import tritonclient.http as triton

url, name, rows = sys.argv[1].removeprefix("http://"), sys.argv[2], json.loads(sys.argv[3])
client = triton.InferenceServerClient(url)
assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready(name)
metadata = client.get_model_metadata(name)
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]


def inputs(binary: bool) -> list[triton.InferInput]:
    made = []
    for tensor in metadata["inputs"]:
        values = np.array(
            [row[tensor["name"]] for row in rows],
            dtype=triton.triton_to_np_dtype(tensor["datatype"]),
        )
        given = triton.InferInput(tensor["name"], [len(rows)], tensor["datatype"])
        given.set_data_from_numpy(values, binary_data=binary)
        made.append(given)
    return made


def outputs(binary: bool) -> list[triton.InferRequestedOutput]:
    return [
        triton.InferRequestedOutput(tensor["name"], binary_data=binary)
        for tensor in metadata["outputs"]
    ]


answers = []
asked = [
    (binary, wanted, compression)
    for compression in (None, "gzip", "deflate")
    for binary in (True, False)
    for wanted in (None, outputs(True), outputs(False))
]
for binary_inputs, wanted, compression in asked:
    for _ in range(2):  # once its head is known, too
        got = client.infer(
            name,
            inputs(binary_inputs),
            outputs=wanted,
            request_compression_algorithm=compression,
        )
        answers.append(
            {
                "prediction": got.as_numpy("prediction").tolist(),
                "probability": got.as_numpy("probability").tolist(),
            }
        )
try:
    wrong = triton.InferInput("distance", [1], "BYTES")
    wrong.set_data_from_numpy(np.array(["far"], dtype=object))
    client.infer(name, [wrong])
    refused = ""
except triton.InferenceServerException as error:
    refused = error.message()
print(json.dumps({"answers": answers, "refused": refused}))
