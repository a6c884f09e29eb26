"""A client that asks for a while, stops between two requests, and says what it sent and got.

Runs in a pod; standard library only. It retries nothing. Arguments: HOST SECONDS CONNECTIONS.
Prints `asking` once the first answer is there, and one JSON line in the end.
"""

import http.client
import json
import random
import sys
import threading
import time
from collections import Counter

REQUESTS_A_CONNECTION = 50
TIMEOUT_SECONDS = 20


def ask(host, until, number, counts, begun):
    """Ask until then; count in `counts`, which is this thread's own."""
    chance, connection, used = random.Random(number), None, 0
    while time.monotonic() < until:
        if connection is None:
            connection, used = http.client.HTTPConnection(host, 80, timeout=TIMEOUT_SECONDS), 0
        rows = [{"x1": chance.random(), "x2": chance.random()} for _ in range(chance.randint(1, 3))]
        counts["sent"] += 1
        used += 1
        try:
            connection.request("POST", "/predict", json.dumps({"rows": rows}))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            counts[f"broken {type(error).__name__}"] += 1
            connection = None
            continue
        counts[str(answer.status)] += 1
        counts["rows"] += len(said.get("predictions", ()))
        begun.set()
        if answer.will_close or used >= REQUESTS_A_CONNECTION:
            connection.close()
            connection = None
        time.sleep(0.01)


def main():
    host, seconds, connections = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    until, begun = time.monotonic() + seconds, threading.Event()
    each = [Counter() for _ in range(connections)]
    threads = [
        threading.Thread(target=ask, args=(host, until, number, counts, begun))
        for number, counts in enumerate(each)
    ]
    for thread in threads:
        thread.start()
    begun.wait()
    print("asking", flush=True)
    for thread in threads:
        thread.join()
    print(json.dumps(sum(each, Counter())), flush=True)


if __name__ == "__main__":
    main()
