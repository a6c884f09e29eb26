"""How a pod of callers is told what to replay, and tells what it saw.

GET  /report   all counts since the start
POST /scene    {"scene": "b", "from": 1380585600, "requestsPerSecond": 150}: go on at that moment,
               under that name, at that rate
"""

from __future__ import annotations

from aiohttp import web

from flights_demo.replay.traffic import Traffic


def application(traffic: Traffic) -> web.Application:
    """The application that tells and is told."""

    async def report(_request: web.Request) -> web.Response:
        state = {"scene": traffic.scene, "clock": traffic.clock, "waiting": traffic.waiting}
        return web.json_response(state | traffic.measurements.report())

    async def scene(request: web.Request) -> web.Response:
        wanted = await request.json()
        rate = float(wanted["requestsPerSecond"])
        traffic.begin(str(wanted["scene"]), float(wanted["from"]), rate)
        return web.json_response({"position": traffic.position})

    made = web.Application()
    made.add_routes([web.get("/report", report), web.post("/scene", scene)])
    return made
