"""Sources to rows: loaded, fenced, transformed, tried for leaks, with the columns of the spec."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from serinus.api.featureset import FeatureSetSpec
from serinus.api.quantities import parse_duration
from serinus_runtime.features.columns import (
    asked_field,
    declared_columns,
    in_order,
    key_columns,
    typed,
    with_labels_filled,
)
from serinus_runtime.features.engine import Engine
from serinus_runtime.features.leak_check import (
    Comparison,
    Leak,
    first_leak,
    first_leak_of_known_rows,
)
from serinus_runtime.features.loaded_sources import Surroundings, load_sources
from serinus_runtime.features.pasts import (
    KnownTimes,
    Past,
    Unknown,
    known_times,
    pasts,
    view_of,
)
from serinus_runtime.features.pod_limits import PodLimits
from serinus_runtime.features.source_files import InputFile
from serinus_runtime.features.sql_fence import check_statement
from serinus_runtime.features.tables import quoted
from serinus_runtime.user_error import FutureLeak, TransformError

PRESENT = "present"
_ASKED_AT = "__asked_at"
_ENGINES_SHARE = 2
"""Of the memory, DuckDB gets one in so many; results, in Arrow and polars, need the rest."""
_COPIES_OF_A_RESULT = 3
"""As it comes, cast and sorted: at the worst all at once."""


@dataclass(frozen=True, slots=True)
class TransformedRows:
    """Result of the transform, with what it was made from; `note` is for people."""

    frame: pl.DataFrame
    inputs: Mapping[str, Sequence[InputFile]]
    note: str


def transformed_rows(spec: FeatureSetSpec, surroundings: Surroundings) -> TransformedRows:
    """The declared columns of the transform's result, sorted, after the leak check.

    Raises
    ------
    UserError
        Spec or data have to change before this can work; `FutureLeak` among them.
    OSError, MemoryError
        It may work when tried again.
    """
    sql = transform_sql(spec)
    check_statement(sql, [source.name for source in spec.sources])
    with tempfile.TemporaryDirectory(prefix="spill-", dir=surroundings.scratch) as spill:
        engine = Engine(Path(spill), memory_bytes=_engine_bytes(surroundings.limits))
        try:
            inputs = load_sources(spec, engine, surroundings)
            known = _known_times(spec, engine)
            tried = _pasts(spec, engine, known)
            sessions = _sessions(engine, known, tried)
            engine.lock()
            frame = _checked_rows(spec, engine, sessions, tried, surroundings.limits)
        finally:
            engine.close()
    return TransformedRows(frame, inputs, _leak_note(spec, known, tried))


def transform_sql(spec: FeatureSetSpec) -> str:
    """The user's SELECT, or that of the only source as it is."""
    if spec.transform and spec.transform.sql:
        return spec.transform.sql
    if len(spec.sources) != 1:
        raise TransformError("transform: several sources need a `transform`")
    return f"SELECT * FROM {quoted(spec.sources[0].name)}"  # noqa: S608


def pasts_at_once(limits: PodLimits, result_bytes: int) -> int:
    """How many pasts are run and compared at once: by processors, and by memory for results.

    Each runs on one thread. The result that they are compared with is there all the time.
    """
    if limits.memory_bytes is None:
        return limits.processors
    left_bytes = limits.memory_bytes - limits.memory_bytes // _ENGINES_SHARE - result_bytes
    fitting = left_bytes // max(1, _COPIES_OF_A_RESULT * result_bytes)
    return max(1, min(limits.processors, fitting))


def _engine_bytes(limits: PodLimits) -> int | None:
    return None if limits.memory_bytes is None else limits.memory_bytes // _ENGINES_SHARE


def _known_times(spec: FeatureSetSpec, engine: Engine) -> dict[str, KnownTimes]:
    known = {}
    for source in spec.sources:
        columns = engine.columns(source.name)
        for column in source.columns:
            for name in (column.name, column.known_at):
                if name not in columns:
                    raise TransformError(
                        f"source `{source.name}`: columns: no column `{name}`; it has "
                        f"{', '.join(columns[:12])}"
                    )
        known[source.name] = known_times(
            columns,
            known_at={column.name: column.known_at for column in source.columns},
            created_field=spec.created_timestamp_field,
            kept=key_columns(spec),
        )
    return known


def _pasts(
    spec: FeatureSetSpec, engine: Engine, known: Mapping[str, KnownTimes]
) -> tuple[Past, ...]:
    """What the leak check tries; nothing where it is off or nothing says when a row is asked."""
    if not _is_leak_check_on(spec) or asked_field(spec) is None:
        return ()
    return pasts(engine.connection, known)


def _sessions(
    engine: Engine, known: Mapping[str, KnownTimes], tried: Sequence[Past]
) -> tuple[duckdb.DuckDBPyConnection, ...]:
    """One on the present, then one on each past."""
    engine.show(PRESENT, {name: f"FROM {engine.table(name)}" for name in known})
    for index, past in enumerate(tried):
        views = {name: view_of(engine.table(name), times, past) for name, times in known.items()}
        engine.show(_schema(index), views)
    return tuple(
        engine.session(schema)
        for schema in (PRESENT, *(_schema(index) for index in range(len(tried))))
    )


def _schema(index: int) -> str:
    return f"past_{index}"


def _checked_rows(
    spec: FeatureSetSpec,
    engine: Engine,
    sessions: Sequence[duckdb.DuckDBPyConnection],
    tried: Sequence[Past],
    limits: PodLimits,
) -> pl.DataFrame:
    """The rows of the present, if no past shows that they knew the future."""
    sql, columns = transform_sql(spec), declared_columns(spec)

    def rows_of(session: duckdb.DuckDBPyConnection) -> pl.DataFrame:
        frame = typed(engine.run(session, sql, columns), columns)
        return in_order(with_labels_filled(frame, spec), key_columns(spec))

    present, *others = sessions
    full = rows_of(present)

    def leak_in(past: Past, session: duckdb.DuckDBPyConnection) -> Leak | None:
        return _leak(spec, full, rows_of(session), past)

    with ThreadPoolExecutor(max_workers=pasts_at_once(limits, int(full.estimated_size()))) as pool:
        leaks = [leak for leak in pool.map(leak_in, tried, others) if leak]
    if not leaks:
        return full
    if not rows_of(present).equals(full):
        raise TransformError(
            "transform.sql: gives other rows each time it runs. Make rows unique before an ASOF "
            "join, and give windows and LIMIT an order without ties"
        )
    raise FutureLeak(leaks[0].message)


def _leak(spec: FeatureSetSpec, full: pl.DataFrame, past: pl.DataFrame, tried: Past) -> Leak | None:
    """The first feature of the present that a past doesn't have."""
    asked, keys = asked_field(spec), key_columns(spec)
    assert asked is not None
    features = tuple(feature.name for feature in spec.features if feature.name not in keys)
    offset = parse_duration(spec.prediction_time.offset if spec.prediction_time else "0s")

    def with_question(frame: pl.DataFrame) -> pl.DataFrame:
        chosen = frame.select([*keys, *features])
        return chosen.with_columns((pl.col(asked) + offset).alias(_ASKED_AT))

    compare = first_leak if tried.unknown is Unknown.NULLED else first_leak_of_known_rows
    compared = Comparison(_ASKED_AT, keys, features)
    return compare(with_question(full), with_question(past), compared, tried.cutoff)


def _is_leak_check_on(spec: FeatureSetSpec) -> bool:
    return spec.leak_check is None or spec.leak_check.enabled


def _leak_note(spec: FeatureSetSpec, known: Mapping[str, KnownTimes], tried: Sequence[Past]) -> str:
    """What the leak check couldn't do."""
    if not _is_leak_check_on(spec):
        return "; the leak check is off"
    if spec.transform is None:
        return ""
    timeless = [f"`{name}`" for name, times in known.items() if not times.values]
    if tried and not timeless:
        return ""
    if tried:
        return (
            f"; the leak check takes all of {', '.join(timeless)} as known from the start: name "
            "`knownAt` of its columns where that isn't so"
        )
    return (
        "; the leak check had nothing to go by: name `knownAt` of a source's columns, or "
        "`createdTimestampField`, and `timestampField`"
    )
