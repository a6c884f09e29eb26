"""A server's rows are taken as the model takes them, or refused by name."""

import pytest

from serinus.api.column_type import ColumnType
from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.online.keys import EntityKey
from serinus_runtime.online.latest import NoTable
from serinus_runtime.online.server_rows import ServedRows
from serinus_runtime.online.table import OnlineColumn
from serinus_runtime.server.online_lookups import Connection, Lookups, ServerAway
from serinus_runtime.server.online_places import ServerPlace, usable_features

FEATURES = (
    OnlineColumn("city", ColumnType.STRING),
    OnlineColumn("spent", ColumnType.FLOAT64, "EUR"),
    OnlineColumn("unused", ColumnType.INT64),
)
SERVED = ServedRows(
    "shop",
    "users",
    (OnlineColumn("user", ColumnType.STRING),),
    FEATURES,
    60.0,
    "redis://cache",
    None,
    0.1,
)


async def nowhere() -> Connection:
    raise ServerAway("refused")


def place() -> ServerPlace:
    lookups = Lookups(nowhere, SERVED.url, 1.0)
    return ServerPlace(SERVED, ("spent", "city"), (1, 0), lookups, SERVED.prefix.encode())


def test_features_are_those_that_the_model_takes_in_its_order() -> None:
    inputs = (InputSpec("spent", Datatype.FP64, unit="EUR"), InputSpec("city", Datatype.BYTES))

    assert usable_features(FEATURES, inputs, "it") == ("spent", "city")


def test_another_unit_is_another_feature() -> None:
    with pytest.raises(NoTable, match="it: feature `spent` is a float64 in EUR"):
        usable_features(FEATURES, (InputSpec("spent", Datatype.FP64, unit="USD"),), "it")


async def test_each_request_has_rows_of_its_own_and_asks_only_for_some() -> None:
    made = place()
    (first, fetch), (second, _) = made.opened(), made.opened()

    assert first.table is not second.table
    assert [name for name, _ in first.features] == ["spent", "city"]
    assert fetch is not None
    await fetch()  # for nothing: nobody is asked
    assert not fetch.rows.is_away
    await made.lookups.close()


async def test_rows_of_a_server_that_is_away_are_away() -> None:
    made = place()
    source, fetch = made.opened()
    assert fetch is not None
    source.table.expect(EntityKey(0, 1))

    await fetch()

    assert source.table.is_away
    await made.lookups.close()
