"""A connection to a server that speaks the protocol of Redis. Imported only where one is used."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from serinus_runtime.server.online_lookups import AccessRefused, ServerAway

CONNECT_SECONDS = 2.0
_SHOWN_CHARACTERS = 200

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the server is and who asks; `ca` vouches for it, None: whom the machine trusts."""

    url: str
    ca: str | None
    username: str | None
    password: str | None = field(repr=False)
    timeout_seconds: float

    async def __call__(self) -> RedisConnection:
        """Connect, and see that it answers; raises `ServerAway`."""
        trusted: dict[str, Any] = {"ssl_ca_data": self.ca} if self.ca else {}
        client: Redis = Redis.from_url(
            self.url,
            username=self.username,
            password=self.password,
            protocol=2,
            single_connection_client=True,
            socket_timeout=None,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            **trusted,
        )
        connection = RedisConnection(client, self.url)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.ping()
            async with asyncio.timeout(self.timeout_seconds):
                await connection.ping()
        except (ServerAway, TimeoutError) as error:
            await connection.close()
            if isinstance(error, ServerAway):
                raise
            raise ServerAway(f"{self.url}: it doesn't answer in time") from error
        except BaseException:
            await connection.close()
            raise
        return connection


@dataclass(frozen=True, slots=True)
class RedisConnection:
    """One connection."""

    client: Redis
    url: str

    async def values(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of these names; raises `ServerAway`."""
        command = self.client.execute_command("MGET", *names)  # type: ignore[no-untyped-call]
        return cast("list[bytes | None]", await self._said(command))

    async def ping(self) -> None:
        """Whether it is there; raises `ServerAway`."""
        await self._said(self.client.execute_command("PING"))  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """End it, whatever state it is in."""
        with contextlib.suppress(RedisError, OSError):
            await self.client.aclose()

    async def _said(self, command: Awaitable[Any]) -> Any:
        try:
            return await command
        except (AuthenticationError, NoPermissionError) as error:
            raise AccessRefused(f"{self.url}: {_shown(error)}") from error
        except (RedisError, OSError) as error:
            raise ServerAway(f"{self.url}: {_shown(error)}") from error


def _shown(error: Exception) -> str:
    return str(error)[:_SHOWN_CHARACTERS]
