"""Rows of one request: each entity is asked for once, and answered as often as it is wanted."""

from serinus.api.column_type import ColumnType
from serinus_runtime.online.keys import EntityKey
from serinus_runtime.online.server_rows import ServedRows, written_row
from serinus_runtime.online.table import OnlineColumn
from serinus_runtime.server.fetched_rows import FetchedColumn, FetchedRows

SERVED = ServedRows(
    "shop",
    "users",
    (OnlineColumn("user", ColumnType.STRING),),
    (OnlineColumn("spent", ColumnType.FLOAT64), OnlineColumn("city", ColumnType.STRING)),
    60.0,
    "redis://cache",
    None,
    0.1,
)
ADA, BOB, EVE = (EntityKey(0, number) for number in range(3))


def test_each_entity_is_asked_for_once_and_found_where_it_came() -> None:
    rows = FetchedRows(SERVED)
    for key in (ADA, BOB, ADA, EVE):
        rows.expect(key)
    assert list(rows.wanted) == [ADA, BOB, EVE]

    rows.take([written_row(5_000_000, [1.5, "Rome"]), None, b"what nobody can read"])

    assert (rows.position(ADA), rows.position(BOB), rows.position(EVE)) == (0, None, None)
    assert [FetchedColumn(rows, number).at(0) for number in range(2)] == [1.5, "Rome"]
    assert FetchedColumn(rows, 0).at(1) is None


def test_a_row_grows_stale_by_its_own_time() -> None:
    rows = FetchedRows(SERVED)
    rows.expect(ADA)
    rows.take([written_row(5_000_000, [None, None])])

    assert not rows.is_stale(0, 65.0)
    assert rows.is_stale(0, 65.1)
