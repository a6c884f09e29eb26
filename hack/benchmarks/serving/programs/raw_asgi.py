"""The control: bare ASGI on uvicorn, the estimator's own `predict`. Arguments: JOBLIB NAME PORT."""

import sys

import joblib
import numpy as np
import orjson
import uvicorn

estimator, name, port = joblib.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
HEADERS = [(b"content-type", b"application/json")]


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    tensor = orjson.loads(body)["inputs"][0]
    rows = np.array(tensor["data"], dtype=np.float64).reshape(tensor["shape"])
    predicted = estimator.predict(rows).tolist()
    output = {"name": "predict", "datatype": "INT64", "shape": [len(predicted)], "data": predicted}
    answer = orjson.dumps({"model_name": name, "outputs": [output]})
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": answer})


uvicorn.run(
    application, port=port, loop="uvloop", http="httptools", access_log=False, log_level="error"
)
