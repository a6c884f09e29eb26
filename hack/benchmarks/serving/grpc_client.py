"""Load over gRPC, each channel asking anew as soon as it is answered; a program.

Arguments: ADDRESS FILE CONNECTIONS SECONDS. The file has messages, each after its length in 4
bytes. Prints requests, seconds, p50 and p99 in ms, and failures, as wrk's script does.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import grpc
import grpc.aio

METHOD = "/inference.GRPCInferenceService/ModelInfer"
LENGTH_BYTES = 4
_TIMEOUT_SECONDS = 10


def messages(data: bytes) -> Iterator[bytes]:
    """The messages of a file."""
    at = 0
    while at < len(data):
        begin = at + LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin], "little")
        yield data[begin:at]


async def main(address: str, bodies: Iterator[bytes], connections: int, seconds: int) -> None:
    """Ask, and print what was seen."""
    took, failed = list[float](), 0
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(connections)]
    calls = [channel.unary_unary(METHOD) for channel in channels]
    await asyncio.gather(*(call(next(bodies), timeout=_TIMEOUT_SECONDS) for call in calls))
    began = time.perf_counter()

    async def ask(call: grpc.aio.UnaryUnaryMultiCallable) -> None:
        nonlocal failed
        while (start := time.perf_counter()) < began + seconds:
            try:
                await call(next(bodies), timeout=_TIMEOUT_SECONDS)
            except grpc.RpcError:
                failed += 1
            else:
                took.append(time.perf_counter() - start)

    await asyncio.gather(*map(ask, calls))
    whole = time.perf_counter() - began
    took.sort()
    p50, p99 = (1000 * took[int(len(took) * share)] for share in (0.5, 0.99))
    print(f"RESULT {len(took)} {whole:f} {p50:f} {p99:f} {failed}")


if __name__ == "__main__":
    given = cycle(messages(Path(sys.argv[2]).read_bytes()))
    asyncio.run(main(sys.argv[1], given, int(sys.argv[3]), int(sys.argv[4])))
