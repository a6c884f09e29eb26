"""Prometheus as it fails: what it answers then, and a proxy in front of a real one that fails so.

Only the standard library: it runs as a script in a pod, too. Arguments: address of Prometheus.
`GET /fault/NAME` chooses the fault, `GET /asked` tells how many queries each fault has met.
"""

import copy
import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLOCK_OFF_SECONDS = 600
HANG_SECONDS = 20
PORT = 8080
NONE, AWAY, HANGING = "none", "away", "hanging"
CLOCK_AHEAD, CLOCK_BEHIND = "clock-ahead", "clock-behind"


def _not_a_number(body: dict, _since: float) -> tuple[int, dict]:
    for one in body["data"]["result"]:
        for pair in one.get("values", ()) or [one["value"]]:
            pair[1] = "NaN"
    return 200, body


def _stale(body: dict, since: float) -> tuple[int, dict]:
    found = body["data"]["result"]
    for one in found:
        if "values" in one:
            one["values"] = [pair for pair in one["values"] if pair[0] <= since]
    body["data"]["result"] = [one for one in found if one.get("values") or "value" in one]
    return 200, body


def _two_series(body: dict, _since: float) -> tuple[int, dict]:
    """As two Prometheis behind one address, each with a label of its own."""
    again = copy.deepcopy(body["data"]["result"])
    for one in again:
        one["metric"]["replica"] = "b"
    body["data"]["result"] += again
    return 200, body


def _empty(body: dict, _since: float) -> tuple[int, dict]:
    body["data"]["result"] = []
    return 200, body


def _error(_body: dict, _since: float) -> tuple[int, dict]:
    return 500, {"status": "error", "errorType": "internal", "error": "disk is full"}


ANSWERS = {
    "http-500": _error,
    "empty": _empty,
    "nan": _not_a_number,
    "stale": _stale,
    "two-series": _two_series,
}
"""Faults in which an answer comes."""


def spoiled(fault: str, body: dict, since: float) -> tuple[int, dict]:
    """HTTP status and answer in place of `body`, by a fault that began at `since`."""
    if body.get("status") != "success" or fault not in ANSWERS:
        return 200, body
    return ANSWERS[fault](body, since)


class _Chosen:
    """Which fault there is."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.fault, self.since = NONE, 0.0
        self.asked: dict[str, int] = {}


CHOSEN = _Chosen()


class Proxy(BaseHTTPRequestHandler):
    """Passes queries on, unless the fault says otherwise."""

    def do_GET(self) -> None:
        if self.path.startswith("/fault/"):
            with CHOSEN.lock:
                CHOSEN.fault, CHOSEN.since = self.path.rsplit("/", 1)[1], time.time()
        self._send(200, {"fault": CHOSEN.fault, "asked": CHOSEN.asked})

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"]))
        with CHOSEN.lock:
            fault, since = CHOSEN.fault, CHOSEN.since
            CHOSEN.asked[fault] = CHOSEN.asked.get(fault, 0) + 1
        if fault == AWAY:
            self.close_connection = True
            return
        if fault == HANGING:
            time.sleep(HANG_SECONDS)
            self.close_connection = True
            return
        shift = {CLOCK_AHEAD: CLOCK_OFF_SECONDS, CLOCK_BEHIND: -CLOCK_OFF_SECONDS}.get(fault, 0)
        code, body = _passed_on(self.path, form, shift)
        if code == 200:
            code, body = spoiled(fault, body, since)
        self._send(code, body)

    def _send(self, code: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _passed_on(path: str, form: bytes, shift: int) -> tuple[int, dict]:
    """The answer of a Prometheus whose clock is `shift` seconds ahead."""
    fields = dict(urllib.parse.parse_qsl(form.decode()))
    fields["time"] = f"{float(fields['time']) - shift:.3f}"
    request = urllib.request.Request(
        sys.argv[1] + path, data=urllib.parse.urlencode(fields).encode()
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    for one in body["data"]["result"] if shift else ():
        for pair in one.get("values", ()) or [one["value"]]:
            pair[0] += shift
    return 200, body


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", PORT), Proxy).serve_forever()
