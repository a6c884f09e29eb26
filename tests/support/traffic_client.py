"""A client that asks a model server at a steady rate and counts every answer; runs in a pod.

Prints one JSON line a second with all counts since its start. Standard library only. It retries
nothing: whatever a caller would see is counted. Arguments: HOST RATE CONNECTIONS FEATURES_JSON
UNITS. Each request is one of so many users', whom its header names; 0: of nobody's.
Features are drawn from `[low, high]` ranges; the label is whether their sum exceeds half of what
it can be, and is sent back as feedback right after the answer.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter

REQUESTS_A_CONNECTION = 50
TIMEOUT_SECONDS = 10


class Connection:
    """One keep-alive connection, opened anew when the server or its age says so."""

    def __init__(self, host, port):
        self.host, self.port, self.used = host, port, 0
        self.reader = self.writer = None

    async def ask(self, method, path, body, unit=""):
        """Send one request, of `unit` if that isn't empty; status, headers, body."""
        if self.writer is None or self.used >= REQUESTS_A_CONNECTION:
            await self.close()
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
            self.used = 0
        self.used += 1
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
        )
        head += f"X-User-Id: {unit}\r\n\r\n" if unit else "\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()
        status = int((await self.reader.readline()).split()[1])
        headers = {}
        while line := (await self.reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        answer = await self.reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            await self.close()
        return status, headers, answer

    async def close(self):
        """Close, if open."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


async def caller(host, port, gap_seconds, ranges, units, counts, chance):
    """Ask for ever, one request each `gap_seconds`."""
    connection = Connection(host, port)
    due = time.monotonic() + chance.random() * gap_seconds
    middle = sum((low + high) / 2 for low, high in ranges.values())
    while True:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due += gap_seconds
        row = {name: chance.uniform(low, high) for name, (low, high) in ranges.items()}
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                started = time.monotonic()
                body = json.dumps({"rows": [row]}).encode()
                unit = f"user-{chance.randrange(units)}" if units else ""
                status, headers, answer = await connection.ask("POST", "/predict", body, unit)
                revision = headers.get("serinus-revision", "none")
                counts[f"{revision} {status}"] += 1
                if time.monotonic() - started > 0.25:
                    counts[f"{revision} slow"] += 1
                if status == 200:
                    label = sum(row.values()) > middle
                    feedback = {"id": json.loads(answer)["id"], "labels": [label]}
                    status, _, _ = await connection.ask(
                        "POST", "/feedback", json.dumps(feedback).encode()
                    )
                    counts[f"feedback {status}"] += 1
        except Exception as error:  # noqa: BLE001  whatever happens to a caller is counted
            counts[f"broken {type(error).__name__}"] += 1
            await connection.close()


async def main():
    """Start the callers and tell the counts each second."""
    host, rate, connections = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    ranges, units = json.loads(sys.argv[4]), int(sys.argv[5])
    counts = Counter()
    chance = random.Random(7)
    callers = [
        asyncio.create_task(
            caller(
                host, 80, connections / rate, ranges, units, counts, random.Random(chance.random())
            )
        )
        for _ in range(connections)
    ]
    while True:
        await asyncio.sleep(1)
        print(json.dumps(dict(counts)), flush=True)
        assert not any(task.done() for task in callers)


if __name__ == "__main__":
    asyncio.run(main())
