"""The first signal begins the drain, the next ends it."""

import signal

import uvicorn

from serinus_runtime.server.connection import ConnectionPolicy
from serinus_runtime.server.drain import DrainingServer
from serinus_runtime.server.serving import Readiness
from tests.support.model_servers import not_here


def server(policy: ConnectionPolicy, readiness: Readiness, seconds: float) -> DrainingServer:
    config = uvicorn.Config(not_here)
    return DrainingServer(config, policy=policy, readiness=readiness, drain_seconds=seconds)


async def test_while_it_drains_it_isnt_ready_and_goes_on() -> None:
    policy, readiness = ConnectionPolicy(30, 1000, 1000), Readiness()
    draining = server(policy, readiness, 60)
    before = (readiness.ready, policy.draining, await draining.on_tick(1))

    draining.handle_exit(signal.SIGTERM, None)

    assert before == (True, False, False)
    assert (readiness.ready, policy.draining, await draining.on_tick(1)) == (False, True, False)


async def test_a_second_signal_ends_it_at_once() -> None:
    draining = server(ConnectionPolicy(30, 1000, 1000), Readiness(), 60)

    for _ in range(2):
        draining.handle_exit(signal.SIGTERM, None)

    assert await draining.on_tick(1)


async def test_it_ends_when_the_drain_time_is_over() -> None:
    draining = server(ConnectionPolicy(30, 1000, 1000), Readiness(), 0)

    draining.handle_exit(signal.SIGTERM, None)

    assert await draining.on_tick(1)
