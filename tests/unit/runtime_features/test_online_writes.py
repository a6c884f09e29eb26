"""Newest values on a real server: never older than they were, never read by another schema."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features import online_writes
from serinus_runtime.features.online_writes import (
    Destination,
    NotWritten,
    ServerAccess,
    destination,
    write_newest,
)
from serinus_runtime.online.keys import key_of
from serinus_runtime.online.server_rows import Row, read_row, row_name
from serinus_runtime.user_error import ColumnError
from tests.support.online_tables import a_spec, frame_of
from tests.support.redis_server import RedisServer, a_redis_server, nobody

pytestmark = pytest.mark.slow

NOW = 4_000_000_000.0
"""Later than any clock says: nothing expires unless a test wants it."""
FEATURES: Mapping[str, Any] = {
    "spent": "float64",
    "share": "float32",
    "orders": "int64",
    "visits": "int32",
    "member": "boolean",
    "city": "string",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with a_redis_server(tmp_path_factory.mktemp("redis"), password="of the tests") as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    with shared.client() as client:
        client.flushall()
    return shared


def spec_of(
    url: str, features: Mapping[str, Any] = FEATURES, **redis_fields: Any
) -> FeatureSetSpec:
    made = a_spec({"user": "string"}, features)
    document = made.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["online"]["redis"] = {"url": url, **redis_fields}
    return FeatureSetSpec.model_validate(document)


def place(
    server: RedisServer, features: Mapping[str, Any] = FEATURES, **redis_fields: Any
) -> Destination:
    (server.folder / "password").write_text(f"{server.password}\n")
    spec = spec_of(
        server.url, features, passwordSecretRef={"name": "redis", "key": "password"}, **redis_fields
    )
    access = ServerAccess(server.folder / "password", server.ca, pauses_seconds=())
    found = destination(spec, "shop", "users", access)
    assert found is not None
    return found


def user(name: str, at: float = NOW, **values: Any) -> dict[str, Any]:
    return {"user": name, "at": at, **dict.fromkeys(FEATURES)} | values


def write(where: Destination, *rows: Mapping[str, Any]) -> int:
    columns = {"user", "at"} | {column.name for column in where.rows.features}
    kept = [{name: value for name, value in row.items() if name in columns} for row in rows]
    return write_newest(frame_of(where.spec, kept), where)


def name_of(where: Destination, name: str) -> bytes:
    key = key_of([name], [column.type for column in where.rows.entities])
    assert key is not None
    return row_name(where.rows.prefix.encode(), key)


def stored(server: RedisServer, where: Destination, name: str) -> Row | None:
    with server.client() as client:
        content: Any = client.get(name_of(where, name))
    return read_row(content, len(where.rows.features))


def expires_at(server: RedisServer, where: Destination, name: str) -> float:
    with server.client() as client:
        found: Any = client.pexpiretime(name_of(where, name))
    return float(found) / 1000


def test_each_value_comes_back_as_it_was(server: RedisServer) -> None:
    where = place(server)
    values = {
        "spent": 0.1 + 0.2,
        "share": 0.5,
        "orders": 2**60 + 1,
        "visits": -7,
        "member": True,
        "city": 'Zürich "\\ 東京',
    }

    assert write(where, user("ada", **values), user("bob", spent=float("nan"))) == 2

    assert stored(server, where, "ada") == Row(int(NOW * 1e6), list(values.values()))
    assert stored(server, where, "bob") == Row(int(NOW * 1e6), [None] * 6)
    assert stored(server, where, "eve") is None


def test_the_newest_row_of_each_entity_counts(server: RedisServer) -> None:
    where = place(server)

    entities = write(where, user("ada", NOW, orders=2), user("ada", NOW - 5, orders=1))

    assert entities == 1
    row = stored(server, where, "ada")
    assert row is not None
    assert row.values[2] == 2


@pytest.mark.parametrize(
    ("at", "orders"), [(NOW - 1, 1), (NOW, 2), (NOW + 1, 2)], ids=["older", "as old", "newer"]
)
def test_an_older_row_never_replaces_a_newer_one(
    server: RedisServer, at: float, orders: int
) -> None:
    where = place(server)
    write(where, user("ada", NOW, orders=1))

    write(where, user("ada", at, orders=2))

    row = stored(server, where, "ada")
    assert row is not None
    assert row.values[2] == orders


def test_an_entity_expires_by_the_age_of_its_row_and_not_of_its_writing(
    server: RedisServer,
) -> None:
    where = place(server, ttl="3h")
    write(where, user("ada", NOW), user("bob", NOW - 600), user("old", 1_000_000.0))

    assert expires_at(server, where, "ada") == NOW + 3 * 3600
    assert expires_at(server, where, "bob") == NOW - 600 + 3 * 3600
    assert stored(server, where, "old") is None


def test_the_age_is_twice_the_staleness_unless_it_is_given(server: RedisServer) -> None:
    where = place(server)
    write(where, user("ada", NOW))

    assert expires_at(server, where, "ada") == NOW + 2 * 3600


def test_a_changed_age_holds_for_what_was_written_before_also_where_that_is_newer(
    server: RedisServer,
) -> None:
    write(place(server, ttl="24h"), user("ada", NOW), user("gone", NOW))

    changed = place(server, ttl="2h")
    write(changed, user("ada", NOW - 60))

    assert expires_at(server, changed, "ada") == NOW + 2 * 3600
    assert expires_at(server, changed, "gone") == NOW + 24 * 3600  # no more in any snapshot


@pytest.mark.parametrize(
    "changed",
    [
        {**FEATURES, "spent": {"type": "float64", "unit": "EUR"}},
        {**FEATURES, "orders": "int32"},
        {name: FEATURES[name] for name in reversed(FEATURES)},
        {name: FEATURES[name] for name in FEATURES if name != "city"},
    ],
    ids=["another unit", "another type", "another order", "a column less"],
)
def test_another_schema_has_other_names(server: RedisServer, changed: Mapping[str, Any]) -> None:
    before, after = place(server), place(server, changed)
    write(before, user("ada", orders=1))

    assert stored(server, after, "ada") is None
    write(after, user("ada", NOW - 1))
    assert stored(server, before, "ada") is not None


def test_namespaces_and_featuresets_are_apart(server: RedisServer) -> None:
    where = place(server)

    assert where.rows.prefix.startswith("serinus:shop:users:")


def test_many_entities_go_in_pieces(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_writes, "_ROWS_OF_A_SCRIPT", 7)
    monkeypatch.setattr(online_writes, "_SCRIPTS_OF_A_PIECE", 3)
    where = place(server)

    assert write(where, *(user(f"u{number}", orders=number) for number in range(50))) == 50

    found = [stored(server, where, f"u{number}") for number in range(50)]
    assert [row.values[2] for row in found if row] == list(range(50))


def test_writers_at_the_same_time_leave_the_newest_of_all(server: RedisServer) -> None:
    where = place(server)

    def writer(number: int) -> None:
        for round_ in range(5):
            at = NOW + (round_ * 7 + number * 3) % 11
            write(where, *(user(f"u{one}", at + one, orders=int(at)) for one in range(40)))

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    latest = max(NOW + (round_ * 7 + number * 3) % 11 for round_ in range(5) for number in range(4))
    for one in range(40):
        row = stored(server, where, f"u{one}")
        assert row is not None
        assert (row.time, row.values[2]) == (int((latest + one) * 1e6), int(latest))


def test_nothing_is_written_in_the_clear_where_tls_is_asked_for(tmp_path: Path) -> None:
    with a_redis_server(tmp_path, password="of the tests", tls=True) as server:
        where = place(server, caSecretRef={"name": "redis", "key": "ca.crt"})
        assert where.rows.ca == server.ca.read_text()
        assert write(where, user("ada", orders=3)) == 1
        assert stored(server, where, "ada") is not None

        unknown = place(server)
        with pytest.raises(NotWritten, match="CERTIFICATE_VERIFY_FAILED"):
            write(unknown, user("ada"))


# What can go wrong


def told_by(where: Destination) -> str:
    with pytest.raises(NotWritten) as told:
        write(where, user("ada"))
    return str(told.value)


def test_a_server_that_isn_t_there_is_told_by_its_address() -> None:
    url = nobody()
    access = ServerAccess(Path("/none"), Path("/none"), pauses_seconds=(0.0, 0.0))
    where = destination(spec_of(url), "shop", "users", access)
    assert where is not None

    assert url in told_by(where)


def test_a_wrong_password_is_told_and_not_shown(server: RedisServer) -> None:
    where = place(server)
    wrong = Destination(where.spec, where.server, where.rows, "hunter2", (60.0,), where.ttl_ms)

    told = told_by(wrong)

    assert "invalid username-password pair" in told
    assert "hunter2" not in told


def test_a_full_server_refuses_and_says_so(server: RedisServer) -> None:
    where = place(server)
    with server.client() as client:
        client.config_set("maxmemory", "1mb")
        try:
            with pytest.raises(NotWritten, match="maxmemory"):
                write(where, *(user(f"u{n}", city="x" * 1000) for n in range(3000)))
        finally:
            client.config_set("maxmemory", "0")


def test_a_user_who_may_not_write_is_told(server: RedisServer) -> None:
    where = place(server, username="reader")
    with server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "reader", "on", f">{server.password}", "~serinus:*", "+mget"
        )

    assert "no permissions" in told_by(where)


def test_a_user_needs_no_more_than_the_script_does(server: RedisServer) -> None:
    where = place(server, username="writer")
    rights = ("~serinus:shop:*", "+eval", "+get", "+set", "+pexpireat", "+ping")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "writer", "on", f">{server.password}", *rights)

    assert write(where, user("ada")) == 1


def test_a_server_that_comes_back_gets_what_it_missed(tmp_path: Path) -> None:
    with a_redis_server(tmp_path) as server:
        spec = spec_of(server.url)
        access = ServerAccess(tmp_path / "none", tmp_path / "none", pauses_seconds=(0.2,) * 50)
        where = destination(spec, "shop", "users", access)
        assert where is not None
        server.kill()
        later = threading.Timer(0.3, server.start)
        later.start()

        assert write(where, user("ada", orders=1)) == 1

        later.join()
        assert stored(server, where, "ada") is not None


def test_an_age_below_the_staleness_is_a_mistake(server: RedisServer) -> None:
    with pytest.raises(ColumnError, match=r"online.redis.ttl: 30m is less than `maxStaleness`"):
        place(server, ttl="30m")


@pytest.mark.parametrize("online", [None, {"maxStaleness": "1h"}, {"enabled": False}])
def test_who_names_no_server_has_no_destination(online: Mapping[str, Any] | None) -> None:
    document = spec_of(nobody()).model_dump(mode="json", by_alias=True, exclude_none=True)
    if online is None:
        del document["online"]
    elif "enabled" in online:
        document["online"]["enabled"] = False
    else:
        document["online"] = online
    spec = FeatureSetSpec.model_validate(document)
    access = ServerAccess(Path("/none"), Path("/none"))

    assert destination(spec, "shop", "users", access) is None


def test_a_name_that_holds_something_else_is_told(server: RedisServer) -> None:
    where = place(server)
    with server.client() as client:
        client.lpush(name_of(where, "ada"), "x")

    assert "wrong kind of value" in told_by(where)
