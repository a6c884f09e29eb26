"""The process of a pod of callers: fetch the flights, then ask until told to end.

Arguments: URL of the flights, URL of the Service, this pod's number, number of pods, connections of
this pod.
"""

from __future__ import annotations

import sys
import urllib.request
from functools import partial
from urllib.parse import urlsplit

import uvloop
from aiohttp import web

from flights_demo.replay import CONTROL_PORT, control
from flights_demo.replay.connection import connect
from flights_demo.replay.flights import flights_of, share_of
from flights_demo.replay.measurements import Measurements
from flights_demo.replay.traffic import Traffic


async def main() -> None:
    """Serve and replay until told to end."""
    flights_url, service_url, number, pods, callers = sys.argv[1:]
    with urllib.request.urlopen(flights_url, timeout=60) as response:  # noqa: ASYNC210 (nothing else runs yet)
        flights = share_of(flights_of(response.read()), int(number), int(pods))
    target = urlsplit(service_url)
    host, port = str(target.hostname), target.port or 80
    connected = partial(connect, host, port)
    traffic = Traffic(flights, host, int(callers), Measurements(), connected)
    runner = web.AppRunner(control.application(traffic), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=CONTROL_PORT).start()
    await traffic.run()


if __name__ == "__main__":
    uvloop.run(main())
