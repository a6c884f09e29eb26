"""The floor: asyncio.Protocol, httptools, our compiled predictor, and nothing else.

Arguments: PACKAGE DIGEST NAME PORT.
"""

import asyncio
import sys
from pathlib import Path

import httptools
import numpy as np
import orjson
import uvloop

from serinus_runtime.artifact.package import load

model, name, port = load(Path(sys.argv[1]), sys.argv[2]), sys.argv[3], int(sys.argv[4])
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Floor(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        tensor = orjson.loads(self.body)["inputs"][0]
        self.body = b""
        rows = np.array(tensor["data"], dtype=np.float64).reshape(tensor["shape"])
        data = model.decided(model.predictor.answers(rows)).tolist()
        output = {"name": "predict", "datatype": "INT64", "shape": [len(data)], "data": data}
        answer = orjson.dumps({"model_name": name, "outputs": [output]})
        self.transport.write(HEAD % len(answer) + answer)


async def main():
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", port)
    await server.serve_forever()


uvloop.run(main())
