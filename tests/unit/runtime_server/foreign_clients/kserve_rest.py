"""KServe's REST client with both protocols. Runs in the clients' own environment."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

url, name, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
TYPES = {"BOOL": np.bool_, "INT64": np.int64, "FP64": np.float64, "BYTES": np.object_}


async def first() -> dict[str, object]:
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    assert await client.is_model_ready(url, name)
    told = await client.infer(url, {"instances": rows}, model_name=name)
    await client.close()
    return {"prediction": told["predictions"]}


async def second(binary: bool) -> dict[str, object]:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_ready(url)
    assert await client.is_server_live(url)
    assert await client.is_model_ready(url, name)
    inputs = []
    for field, datatype in json.loads(sys.argv[4]).items():
        given = InferInput(field, [len(rows)], datatype)
        values = np.array([row[field] for row in rows], dtype=TYPES[datatype])
        given.set_data_from_numpy(values, binary_data=binary)
        inputs.append(given)
    told = await client.infer(url, InferRequest(name, inputs), model_name=name)
    await client.close()
    return {output.name: output.as_numpy().tolist() for output in told.outputs}


async def main() -> None:
    answers = [await first(), await second(binary=False), await second(binary=True)]
    print(json.dumps({"answers": answers}))


asyncio.run(main())
