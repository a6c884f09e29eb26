"""Writes the newest row of each entity to a server that speaks the protocol of Redis.

A script on the server compares times, so that no older row replaces a newer one, whoever else
writes at the same time. It sets the expiry of each entity that the snapshot has, of those too whose
row was newer already: an age that is changed in the FeatureSet holds from its next run on. What the
snapshot has no more is left to its expiry.

Rows go in pieces: what is in memory doesn't grow with their number. Where the server is away a
piece is tried again for about a minute.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from serinus.api.featureset import FeatureSetSpec, Online, OnlineServer
from serinus.api.quantities import duration_seconds
from serinus_runtime.features.online_table import newest_rows, online_features, time_column
from serinus_runtime.online.keys import key_of
from serinus_runtime.online.server_rows import ServedRows, row_name, written_row
from serinus_runtime.online.table import OnlineColumn
from serinus_runtime.user_error import ColumnError

if TYPE_CHECKING:
    from redis import Redis

DEFAULT_TIMEOUT = "100ms"
_TTL_OF_STALENESS = 2
_ROWS_OF_A_SCRIPT = 100
_SCRIPTS_OF_A_PIECE = 50
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 30
_SHOWN_CHARACTERS = 200

_SCRIPT = """
local ttl = tonumber(ARGV[1])
for i, name in ipairs(KEYS) do
  local time = tonumber(string.match(ARGV[i + 1], '^%-?%d+'))
  local old = redis.call('GET', name)
  local there = old and tonumber(string.match(old, '^%-?%d+'))
  if there and there > time then
    time = there
  else
    redis.call('SET', name, ARGV[i + 1])
  end
  redis.call('PEXPIREAT', name, string.format('%.0f', math.floor(time / 1000) + ttl))
end
return #KEYS
"""

_log = logging.getLogger(__name__)

Item = TypeVar("Item")


class NotWritten(Exception):
    """The newest values aren't on the server, or not all of them; the text says why."""


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """Files with the password of who writes and the certificates that vouch for the server.

    One that the FeatureSet names no Secret for isn't there. `pauses_seconds` are those between
    tries while the server is away.
    """

    password: Path
    ca: Path
    pauses_seconds: tuple[float, ...] = (1, 2, 4, 8, 15, 30)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the rows of a FeatureSet go, as far as its spec says."""

    spec: FeatureSetSpec
    server: OnlineServer
    rows: ServedRows
    password: str | None
    pauses_seconds: tuple[float, ...]
    ttl_ms: int


def destination(
    spec: FeatureSetSpec, namespace: str, feature_set: str, access: ServerAccess
) -> Destination | None:
    """Where the newest rows go; None where no server is to have them.

    Raises
    ------
    ColumnError
        The FeatureSet doesn't say what is needed, or says what can't be.
    """
    online = spec.online
    if online is None or not online.enabled or online.redis is None:
        return None
    time_column(spec)
    server = online.redis
    return Destination(
        spec=spec,
        server=server,
        rows=ServedRows(
            namespace=namespace,
            feature_set=feature_set,
            entities=tuple(OnlineColumn(one.name, one.type) for one in spec.entities),
            features=online_features(spec),
            max_staleness_seconds=duration_seconds(online.max_staleness),
            url=server.url,
            ca=access.ca.read_text() if server.ca_secret_ref else None,
            timeout_seconds=duration_seconds(server.timeout or DEFAULT_TIMEOUT),
        ),
        password=access.password.read_text().strip() if server.password_secret_ref else None,
        pauses_seconds=access.pauses_seconds,
        ttl_ms=_ttl_ms(online, server),
    )


def _ttl_ms(online: Online, server: OnlineServer) -> int:
    staleness = duration_seconds(online.max_staleness)
    if server.ttl is None:
        return int(_TTL_OF_STALENESS * staleness * 1000)
    if duration_seconds(server.ttl) < staleness:
        raise ColumnError(
            f"online.redis.ttl: {server.ttl} is less than `maxStaleness` ({online.max_staleness}). "
            "The server would forget values that may still be used: give it at least as much"
        )
    return int(duration_seconds(server.ttl) * 1000)


def write_newest(frame: pl.DataFrame, where: Destination) -> int:
    """Write the newest rows of a snapshot, which is sorted as it is; how many entities it has.

    Raises
    ------
    NotWritten
        The server is away, or refuses them.
    """
    import redis

    rows = newest_rows(frame, where.spec)
    client = _client(where)
    began = time.monotonic()
    try:
        for piece in _pieces(_commands(rows, where), _SCRIPTS_OF_A_PIECE):
            _send(client, piece, where.pauses_seconds)
    except redis.RedisError as error:
        raise NotWritten(f"{where.server.url}: {str(error)[:_SHOWN_CHARACTERS]}") from error
    finally:
        client.close()
    _log.info(
        "newest values written",
        extra={"entities": rows.height, "seconds": round(time.monotonic() - began, 3)},
    )
    return rows.height


def _client(where: Destination) -> Redis:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    trusted = {"ssl_ca_data": where.rows.ca} if where.rows.ca else {}
    return redis.Redis.from_url(
        where.server.url,
        username=where.server.username,
        password=where.password,
        protocol=2,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
        **trusted,
    )


def _commands(rows: pl.DataFrame, where: Destination) -> Iterator[Sequence[Any]]:
    """Calls of the script, each with some rows."""
    for some in _pieces(_named_rows(rows, where), _ROWS_OF_A_SCRIPT):
        names = [name for name, _ in some]
        yield ("EVAL", _SCRIPT, len(some), *names, where.ttl_ms, *(content for _, content in some))


def _named_rows(rows: pl.DataFrame, where: Destination) -> Iterator[tuple[bytes, bytes]]:
    served = where.rows
    prefix = served.prefix.encode()
    n_entities = len(served.entities)
    types = [column.type for column in served.entities]
    ordered = rows.select(
        pl.col(time_column(where.spec)).to_physical(),
        *(column.name for column in (*served.entities, *served.features)),
    )
    for moment, *values in ordered.iter_rows():
        key = key_of(values[:n_entities], types)
        if key is not None:
            yield row_name(prefix, key), written_row(moment, values[n_entities:])


def _pieces(items: Iterator[Item], size: int) -> Iterator[tuple[Item, ...]]:
    while piece := tuple(islice(items, size)):
        yield piece


def _send(
    client: Redis, commands: Sequence[Sequence[Any]], pauses_seconds: Sequence[float]
) -> None:
    """Send them in one go; again while the server is away. What is sent twice does no harm."""
    import redis

    for pause_seconds in (*pauses_seconds, None):
        pipeline = client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        try:
            pipeline.execute()
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
            raise
        except (redis.ConnectionError, redis.TimeoutError, redis.exceptions.TryAgainError):
            if pause_seconds is None:
                raise
            time.sleep(pause_seconds)
        else:
            return
