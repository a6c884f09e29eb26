"""Load from wrk on a core of its own, and what it saw."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENT_CORE = "1"
_SCRIPT = """
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  n = n %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[n])
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%f %%f %%f %%d\\n", summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
_RESULT = re.compile(r"RESULT (\d+) ([\d.]+) ([\d.]+) ([\d.]+) (\d+)")


class LoadError(Exception):
    """No load could be made, or answers were wrong."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the clients saw. `failed` are answers that aren't 2xx, and errors of connections."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds


def check_wrk() -> None:
    """Raise `LoadError` where there is no wrk."""
    if shutil.which("wrk") is None:
        raise LoadError("wrk isn't installed; on Debian: apt-get install wrk")


def load(url: str, bodies: Sequence[Any], folder: Path, *, connections: int, seconds: int) -> Seen:
    """Ask for some seconds over so many connections, each body in its turn."""
    lines, script = folder / "bodies.jsonl", folder / "wrk.lua"
    lines.write_text("\n".join(json.dumps(body, separators=(",", ":")) for body in bodies))
    script.write_text(_SCRIPT % lines)
    amount = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    return seen_by(["wrk", *amount, "-s", str(script), url], seconds)


def seen_by(command: Sequence[str], seconds: int) -> Seen:
    """What a client on its core tells after so long; raises `LoadError`."""
    ended = subprocess.run(
        ["taskset", "-c", CLIENT_CORE, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
    )
    found = _RESULT.search(ended.stdout)
    if found is None:
        raise LoadError(f"{command[0]} said nothing of use:\n{ended.stdout}{ended.stderr}")
    count, took, p50, p99, failed = found.groups()
    return Seen(int(count), float(took), float(p50), float(p99), int(failed))
