"""KServe's gRPC client, with typed and with raw values. Runs in the clients' own environment."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest

url, name, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
TYPES = {"BOOL": np.bool_, "INT64": np.int64, "FP64": np.float64, "BYTES": np.object_}


def inputs(raw: bool) -> list[InferInput]:
    made = []
    for field, datatype in json.loads(sys.argv[4]).items():
        values = [row[field] for row in rows]
        given = InferInput(field, [len(rows)], datatype, data=None if raw else values)
        if raw:
            given.set_data_from_numpy(np.array(values, dtype=TYPES[datatype]), binary_data=True)
        made.append(given)
    return made


async def main() -> None:
    client = InferenceGRPCClient(url)
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready(name)
    answers = []
    for raw in (False, True):
        told = await client.infer(InferRequest(name, inputs(raw), request_id="mine"))
        assert told.id == "mine"
        answers.append({output.name: output.as_numpy().tolist() for output in told.outputs})
    await client.close()
    print(json.dumps({"answers": answers}))


asyncio.run(main())
