"""A client of the API server that makes many objects fast: the harness's, not the operator's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")
Body = dict[str, Any]

AT_ONCE = 24
PAGE_SIZE = 500
_MERGE = "application/merge-patch+json"


class Api:
    """Requests with the rights of an administrator. Close it with `async with`."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        # The certificate is made by the server for itself, and this is loopback.
        connector = aiohttp.TCPConnector(limit=AT_ONCE, ssl=False)
        headers = {"Authorization": f"Bearer {token}"}
        self._session = aiohttp.ClientSession(connector=connector, headers=headers)

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def create(self, path: str, body: Body) -> Body:
        """POST."""
        return await self._send("POST", path, body, "application/json")

    async def patch(self, path: str, change: Body) -> Body:
        """Merge patch."""
        return await self._send("PATCH", path, change, _MERGE)

    async def items(self, path: str, *, selector: str = "") -> list[Body]:
        """All objects of a collection, page by page."""
        found: list[Body] = []
        following = ""
        while True:
            asked = f"limit={PAGE_SIZE}&labelSelector={selector}&continue={following}"
            page = await self._send("GET", f"{path}?{asked}")
            found.extend(page["items"])
            following = page["metadata"].get("continue") or ""
            if not following:
                return found

    async def watch(self, path: str) -> AsyncIterator[Body]:
        """Objects of a collection as they change, from now on."""
        listed = await self._send("GET", f"{path}?limit=1")
        version = listed["metadata"]["resourceVersion"]
        url = f"{self._url}{path}?watch=true&resourceVersion={version}"
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(url, timeout=timeout, read_bufsize=1 << 20) as response:
            async for line in response.content:
                yield json.loads(line)["object"]

    async def _send(
        self, method: str, path: str, body: Body | None = None, content_type: str = ""
    ) -> Body:
        headers = {"Content-Type": content_type} if content_type else {}
        data = None if body is None else json.dumps(body)
        url = self._url + path
        async with self._session.request(method, url, data=data, headers=headers) as response:
            answer: Body = json.loads(await response.read())
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {response.status} {answer.get('message')}")
            return answer


async def all_of(todo: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """Do all, `AT_ONCE` at a time."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(one: Callable[[], Awaitable[T]]) -> T:
        async with turns:
            return await one()

    return await asyncio.gather(*(in_turn(one) for one in todo))
