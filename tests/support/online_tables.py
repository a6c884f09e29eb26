"""Online tables for tests, in a store as a FeatureSet's runs leave them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from serinus.api.column_type import ColumnType
from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features.online_table import online_table
from serinus_runtime.features.online_writes import ServerAccess, destination, write_newest
from serinus_runtime.features.snapshot import schema_of, write_snapshot
from serinus_runtime.online.latest import TABLE_FILE, publish
from serinus_runtime.online.server_rows import ServedRows
from serinus_runtime.online.table import OnlineTable, table_in
from serinus_runtime.store import Store
from tests.support.trained_models import flights

POLARS = {
    ColumnType.FLOAT64: pl.Float64(),
    ColumnType.FLOAT32: pl.Float32(),
    ColumnType.INT64: pl.Int64(),
    ColumnType.INT32: pl.Int32(),
    ColumnType.BOOLEAN: pl.Boolean(),
    ColumnType.STRING: pl.String(),
    ColumnType.TIMESTAMP: pl.Datetime("us", "UTC"),
}

LEG_ENTITIES = {"tail": "string", "leg": "int64"}
FLIGHT_FEATURES: dict[str, Any] = {
    "distance": {"type": "float64", "unit": "mi"},
    "delay": {"type": "float64", "unit": "min"},
    "hour": "int64",
    "holiday": "boolean",
    "carrier": "string",
    "route": "string",
    "seats": "int32",
}
FLIGHTS = [row for row in flights(60, seed=5) if None not in row.values()][:12]
KEYS = [{"tail": f"N{number}", "leg": number % 2} for number in range(len(FLIGHTS))]
"""Whose newest values the flights are."""


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def a_spec(
    entities: Mapping[str, str],
    features: Mapping[str, str | Mapping[str, Any]],
    *,
    max_staleness: str = "1h",
) -> FeatureSetSpec:
    """A FeatureSet with the time `at` and columns by name: a type, or all fields."""
    described = [
        {"name": name, **({"type": of} if isinstance(of, str) else of)}
        for name, of in features.items()
    ]
    return FeatureSetSpec.model_validate(
        {
            "entities": [{"name": name, "type": of} for name, of in entities.items()],
            "timestampField": "at",
            "sources": [{"name": "a", "files": {"uris": ["file:///data/a"], "format": "csv"}}],
            "features": described,
            "online": {"maxStaleness": max_staleness},
        }
    )


def frame_of(spec: FeatureSetSpec, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The rows of a snapshot; `at` in seconds since 1970."""
    columns = {one.name: POLARS[one.type] for one in (*spec.entities, *spec.features)}
    given = [{**row, "at": moment(row["at"])} for row in rows]
    return pl.DataFrame(given, schema={"at": POLARS[ColumnType.TIMESTAMP], **columns})


def content_of(spec: FeatureSetSpec, rows: Sequence[Mapping[str, Any]]) -> bytes:
    table = online_table(frame_of(spec, rows), spec)
    assert table is not None
    return b"".join(table.content)


def table_of_rows(spec: FeatureSetSpec, rows: Sequence[Mapping[str, Any]]) -> OnlineTable:
    """The table of the rows, read back."""
    return table_in(memoryview(content_of(spec, rows)))


def publish_table(
    root: Path, feature_set: str, spec: FeatureSetSpec, rows: Sequence[Mapping[str, Any]]
) -> str:
    """Write a snapshot with its table, and say that it is the newest; its digest."""
    store = Store(root)
    snapshot = write_snapshot(
        store.snapshots(feature_set),
        frame_of(spec, rows),
        {"schema": schema_of(spec)},
        {"rows": len(rows)},
        {TABLE_FILE: [content_of(spec, rows)]},
    )
    publish(store, feature_set, snapshot.digest)
    return snapshot.digest


def server_spec(spec: FeatureSetSpec, url: str, **redis: Any) -> FeatureSetSpec:
    """The FeatureSet, with its newest values on a server."""
    document = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["online"]["redis"] = {"url": url, **redis}
    return FeatureSetSpec.model_validate(document)


def publish_on_server(
    root: Path,
    feature_set: str,
    spec: FeatureSetSpec,
    rows: Sequence[Mapping[str, Any]],
    *,
    password: str | None = None,
    ca: Path | None = None,
) -> ServedRows:
    """Write the newest rows to the server that the FeatureSet names, and say so."""
    secret = root / f"{feature_set}.password"
    secret.write_text(password or "")
    document = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    if password:
        document["online"]["redis"]["passwordSecretRef"] = {"name": "redis", "key": "password"}
    if ca:
        document["online"]["redis"]["caSecretRef"] = {"name": "redis", "key": "ca.crt"}
    full = FeatureSetSpec.model_validate(document)
    access = ServerAccess(secret, ca or root / "none", pauses_seconds=())
    where = destination(full, "default", feature_set, access)
    assert where is not None
    write_newest(frame_of(full, rows), where)
    publish(Store(root), feature_set, "sha256:" + "0" * 64, where.rows)
    return where.rows
