"""Names of hooks are looked up beside everything else that the process looks up."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from serinus.hooks.lookups import HookResolver
from tests.support.hook_receiver import receiving
from tests.unit.hooks.test_desk import YES, office, quick, resource


async def test_a_name_has_its_addresses() -> None:
    resolver = HookResolver()
    (found, *_) = await resolver.resolve("localhost", 80, socket.AF_INET)
    await resolver.close()

    assert (found["host"], found["port"], found["hostname"]) == ("127.0.0.1", 80, "localhost")


async def test_a_name_that_nobody_knows_is_an_error_of_the_system() -> None:
    resolver = HookResolver()
    with pytest.raises(socket.gaierror):
        await resolver.resolve("")  # no name at all: no server is asked
    await resolver.close()


async def test_a_hook_is_asked_while_all_other_threads_are_held(tmp_path: Path) -> None:
    free = threading.Event()
    loop = asyncio.get_running_loop()
    held = [loop.run_in_executor(None, free.wait, 20) for _ in range(64)]
    async with receiving() as receiver:
        receiver.url = receiver.url.replace("127.0.0.1", "localhost")
        async with office(quick(tmp_path, receiver)) as at:
            at.answers(resource("board"))
            await at.is_woken()
            found = at.answers(resource("board"))
    free.set()
    await asyncio.gather(*held)

    assert found == {"board": YES}
