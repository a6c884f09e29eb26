"""A client that calls a model server over gRPC and counts every answer; runs in the server's image.

Prints one JSON line a second with all counts since its start: by revision, and of failures by code.
It keeps its connections for as long as the server does, and retries no call that was sent. What
gRPC itself begins anew stays as it is for any client: calls that its library hadn't written yet
when it learned that their connection grows too old. Arguments: TARGET MODEL CALLERS FEATURES_JSON.
"""

import asyncio
import json
import random
import sys
from collections import Counter

import grpc.aio

from serinus_runtime.server import open_inference_pb2 as wire

METHOD = "/inference.GRPCInferenceService/ModelInfer"
PAUSE_SECONDS = 0.1


def request(model, ranges):
    """A row by chance."""
    made = wire.ModelInferRequest(model_name=model)
    for name, (low, high) in ranges.items():
        tensor = made.inputs.add(name=name, datatype="FP64", shape=[1])
        tensor.contents.fp64_contents.append(random.uniform(low, high))
    return made.SerializeToString()


async def caller(target, model, ranges, counts):
    """Call for ever."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        infer = channel.unary_unary(METHOD)
        while True:
            try:
                answer = await infer(request(model, ranges), timeout=10)
                told = wire.ModelInferResponse.FromString(answer)
                counts[told.parameters["revision"].string_param] += 1
            except grpc.aio.AioRpcError as error:
                counts[f"failed {error.code().name}: {error.details()}"] += 1
            await asyncio.sleep(PAUSE_SECONDS)


async def main():
    target, model, callers, ranges = sys.argv[1:]
    counts = Counter()
    tasks = [
        asyncio.create_task(caller(target, model, json.loads(ranges), counts))
        for _ in range(int(callers))
    ]
    while not any(task.done() for task in tasks):
        print(json.dumps(counts), flush=True)
        await asyncio.sleep(1)
    await asyncio.gather(*tasks)


asyncio.run(main())
