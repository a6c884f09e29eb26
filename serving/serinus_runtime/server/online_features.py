"""Newest values beside a model: those of each FeatureSet, followed while the pod serves.

A pod starts with a table or a server for each FeatureSet, or not at all: what is looked up nowhere
would be imputed, and nobody would notice. A newer one takes the place of an older one between two
requests. One that can't be read, or whose columns aren't what the model takes, is told of and left;
the older one goes on, until its values are stale.

A server that is away ends nothing: its values are missing meanwhile, and what happens to those is
the policy of each input. So it is where the pod starts meanwhile; a server that lets nobody in with
the pod's password is another matter.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serinus_runtime.artifact.signature import Signature
from serinus_runtime.online.latest import Newest, NoTable, TableAway, newest, table_of
from serinus_runtime.online.server_rows import Reader, ServedRows
from serinus_runtime.paced_thread import PacedThread
from serinus_runtime.server.completed_requests import Completion
from serinus_runtime.server.exchange import JsonObject, LookedUp
from serinus_runtime.server.online_lookups import AccessRefused, Lookups, ServerAway
from serinus_runtime.server.online_places import (
    Fetch,
    ServerPlace,
    TablePlace,
    source_of,
    usable_features,
)
from serinus_runtime.store import Store

LOOK_SECONDS = 5.0
"""How often it is looked whether there are newer values."""
BEGIN_SECONDS = 2.0
"""How long a pod that starts waits for a server of values."""

logger = logging.getLogger(__name__)


class FollowedTable:
    """The newest usable values of a FeatureSet; raises `NoTable` where there are none yet."""

    def __init__(
        self, store: Store, feature_set: str, signature: Signature, reader: Reader | None = None
    ) -> None:
        self._store = store
        self._feature_set = feature_set
        self._signature = signature
        self._reader = reader or Reader()
        found = newest(store, feature_set)
        if found is None:
            raise NoTable(
                f"FeatureSet `{feature_set}` has no newest values in the store. Set its "
                "`spec.online`, and wait for its next snapshot"
            )
        self._seen = found
        self.place: TablePlace | ServerPlace = self._loaded(found, None)

    def look(self) -> Lookups | None:
        """Take newer values, if there are any; the questions that nobody asks any more.

        Raises `NoTable`: once for what is refused, each time for what can't be read.
        """
        found = newest(self._store, self._feature_set)
        if found is None or found == self._seen:
            return None
        before, self._seen = self._seen, found
        left = self.place
        try:
            self.place = self._loaded(found, left)
        except TableAway:
            self._seen = before
            raise
        if isinstance(left, ServerPlace):
            kept = isinstance(self.place, ServerPlace) and self.place.lookups is left.lookups
            return None if kept else left.lookups
        return None

    def _loaded(
        self, found: Newest, before: TablePlace | ServerPlace | None
    ) -> TablePlace | ServerPlace:
        whose = f"FeatureSet `{self._feature_set}`"
        if found.rows is not None:
            return self._of_server(found.rows, before, whose)
        began = time.monotonic()
        table = table_of(self._store, self._feature_set, found.snapshot)
        place = TablePlace(table, source_of(table, self._signature, whose))
        logger.info(
            "online table loaded",
            extra={
                "feature_set": self._feature_set,
                "snapshot": found.snapshot,
                "entities": len(table),
                "size_bytes": table.size_bytes,
                "features": place.features,
                "seconds": round(time.monotonic() - began, 3),
            },
        )
        return place

    def _of_server(
        self, served: ServedRows, before: TablePlace | ServerPlace | None, whose: str
    ) -> ServerPlace:
        names = usable_features(served.features, self._signature.inputs, whose)
        numbers = {column.name: number for number, column in enumerate(served.features)}
        place = ServerPlace(
            served=served,
            features=names,
            numbers=[numbers[name] for name in names],
            lookups=_lookups(served, self._reader, before),
            prefix=served.prefix.encode(),
        )
        logger.info(
            "online values are on a server",
            extra={"feature_set": self._feature_set, "url": served.url, "features": names},
        )
        return place


def _lookups(
    served: ServedRows, reader: Reader, before: TablePlace | ServerPlace | None
) -> Lookups:
    """Questions to the server: those of before, where it is the same one."""
    if isinstance(before, ServerPlace) and _address(before.served) == _address(served):
        return before.lookups
    # Only here: whoever asks no server pays nothing for it.
    from serinus_runtime.server.redis_connection import ServerAddress

    address = ServerAddress(
        served.url, served.ca, reader.username, reader.password, served.timeout_seconds
    )
    return Lookups(address, served.url, served.timeout_seconds)


def _address(served: ServedRows) -> tuple[str, str | None, float]:
    return served.url, served.ca, served.timeout_seconds


@dataclass(slots=True)
class Completing:
    """A request that is being completed: begun, then what it waits for is fetched, then filled."""

    completion: Completion
    fetches: Sequence[Fetch]
    now: Callable[[], float]
    looked_up: LookedUp | None = None
    """What came of it, once it is filled; None where nothing was looked up."""

    @property
    def unavailable(self) -> int:
        """How many values nobody could tell."""
        return self.looked_up.unavailable if self.looked_up else 0

    async def fetched(self) -> None:
        """Wait for what servers have, each asked once."""
        if len(self.fetches) == 1:
            await self.fetches[0]()
        elif self.fetches:
            await asyncio.gather(*(fetch() for fetch in self.fetches))

    def filled(self) -> LookedUp | None:
        """Fill what the request leaves out; what came of it."""
        self.looked_up = self.completion.fill(self.now())
        return self.looked_up


class OnlineFeatures:
    """Completes requests from online tables; `now` is seconds since 1970."""

    def __init__(
        self,
        tables: Sequence[FollowedTable],
        signature: Signature,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._tables = tables
        self._inputs = signature.inputs
        self._now = now
        self._told = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = PacedThread("online-tables", LOOK_SECONDS, self.look, lambda: None)

    @property
    def entities(self) -> int:
        """How many entities all tables have."""
        return sum(table.place.entities for table in self._tables)

    @property
    def features(self) -> frozenset[str]:
        """Names of the inputs that a request may leave out."""
        return frozenset(name for table in self._tables for name in table.place.features)

    @property
    def waits(self) -> bool:
        """Whether a request may have to wait for a server."""
        return any(isinstance(table.place, ServerPlace) for table in self._tables)

    async def begin(self) -> None:
        """Connect to servers; raises `NoTable` where one lets nobody in."""
        self._loop = asyncio.get_running_loop()
        for table in self._tables:
            place = table.place
            if isinstance(place, ServerPlace):
                try:
                    await place.lookups.begin(BEGIN_SECONDS)
                    await place.lookups.values([place.prefix])  # nobody's: may it be asked for?
                except AccessRefused as error:
                    raise NoTable(
                        f"{error}. Name who reads in `server.onlineFeatures` of the Deployment: "
                        "`credentials`"
                    ) from error
                except ServerAway as error:
                    logger.warning("starts without a server of online values: %s", error)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self, within_seconds: float) -> None:
        """Follow no longer."""
        self._thread.close(within_seconds)

    async def end(self) -> None:
        """Ask no server any more."""
        for table in self._tables:
            if isinstance(table.place, ServerPlace):
                await table.place.lookups.close()

    def look(self) -> None:
        """Take the tables that are newer than those at hand."""
        for table in self._tables:
            try:
                left = table.look()
                if left is not None and self._loop is not None:
                    asyncio.run_coroutine_threadsafe(left.retire(), self._loop)
            except NoTable as error:
                if str(error) != self._told:
                    self._told = str(error)
                    logger.warning("online table refused: %s", error)
            except Exception:
                logger.exception("online table can't be followed")

    def begun(self, word: str, document: JsonObject) -> Completing:
        """Begin to fill what a request of the form `word` leaves out, on any thread."""
        opened = [table.place.opened() for table in self._tables]
        completion = Completion([source for source, _ in opened], self._inputs)
        completion.make_places(word, document)
        fetches = [fetch for _, fetch in opened if fetch is not None]
        return Completing(completion, fetches, self._now)
