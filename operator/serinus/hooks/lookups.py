"""Look up hooks' names in threads of their own.

A lookup holds its thread until the name server answers or the system gives up, also when nobody
waits for it any more. In the threads that the whole process shares, hooks whose names hang would
take those away in which the metrics provider is looked up.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

THREADS_MAX = 16
_IS_ADDRESS = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class HookResolver(AbstractResolver):
    """Names to addresses. One name is looked up once at a time, as its connector sees to it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="hook-lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of `host`."""
        look_up = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=family_found,
                proto=proto,
                flags=_IS_ADDRESS,
            )
            for family_found, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Look up nothing more; what hangs is left behind."""
        self._threads.shutdown(wait=False, cancel_futures=True)
