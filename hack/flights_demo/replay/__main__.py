"""The process of a pod of callers: fetch the flights, ask, and be told and tell over HTTP.

    GET  /report   all counts since the start
    POST /scene    {"scene": "b", "from": 1380585600}: go on at that moment, under that name

Arguments: URL of the flights, URL of the Service, this pod's number, number of pods, requests per
second of this pod, connections of this pod.
"""

from __future__ import annotations

import sys
import urllib.request
from functools import partial
from urllib.parse import urlsplit

import uvloop
from aiohttp import web

from flights_demo.replay.connection import connect
from flights_demo.replay.flights import flights_of, share_of
from flights_demo.replay.measurements import Measurements
from flights_demo.replay.traffic import Traffic

CONTROL_PORT = 9000


async def main() -> None:
    """Serve and replay until told to end."""
    flights_url, service_url, number, pods, rate, callers = sys.argv[1:]
    with urllib.request.urlopen(flights_url, timeout=60) as response:  # noqa: ASYNC210 (nothing else runs yet)
        flights = share_of(flights_of(response.read()), int(number), int(pods))
    target = urlsplit(service_url)
    host, port = str(target.hostname), target.port or 80
    traffic = Traffic(
        flights, host, float(rate), int(callers), Measurements(), partial(connect, host, port)
    )
    runner = web.AppRunner(control(traffic), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=CONTROL_PORT).start()
    await traffic.run()


def control(traffic: Traffic) -> web.Application:
    """The application that tells and is told."""

    async def report(_request: web.Request) -> web.Response:
        state = {"scene": traffic.scene, "clock": traffic.clock, "position": traffic.position}
        return web.json_response(state | traffic.measurements.report())

    async def scene(request: web.Request) -> web.Response:
        wanted = await request.json()
        traffic.begin(str(wanted["scene"]), float(wanted["from"]))
        return web.json_response({"position": traffic.position})

    application = web.Application()
    application.add_routes([web.get("/report", report), web.post("/scene", scene)])
    return application


if __name__ == "__main__":
    uvloop.run(main())
