"""Sources to rows: loaded, fenced, transformed, tried for leaks, with the columns of the spec."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from serinus.api.featureset import FeatureSetSpec
from serinus.api.quantities import parse_duration
from serinus_runtime.features.columns import (
    declared_columns,
    in_order,
    typed,
    with_labels_filled,
)
from serinus_runtime.features.download import Downloader
from serinus_runtime.features.engine import Engine, KnownAt, check_statement
from serinus_runtime.features.leak_check import Leak, cutoffs, first_leak, rules_of_source
from serinus_runtime.features.source_files import InputFile, local_files
from serinus_runtime.features.tables import load_table, quoted
from serinus_runtime.store import Store
from serinus_runtime.user_error import FutureLeak, TransformError

_ASKED_AT = "__asked_at"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run finds around it."""

    store: Store
    scratch: Path
    pseudonymization_key: Path
    download: Downloader
    now: Callable[[], datetime]


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
    check_statement(sql)
    with tempfile.TemporaryDirectory(dir=surroundings.scratch) as scratch:
        engine = Engine(scratch)
        try:
            inputs = _load(spec, engine, surroundings, Path(scratch))
            rules = _rules(spec, engine)
            moments = _moments(spec, engine, rules)
            for index, moment in enumerate(moments):
                engine.add_past(_past(index), moment, rules)
            schemas = ("main", *(_past(index) for index in range(len(moments))))
            sessions = [engine.session(schema) for schema in schemas]
            engine.lock()

            def rows_of(session: duckdb.DuckDBPyConnection) -> pl.DataFrame:
                return _in_shape(engine.run(session, sql), spec)

            # Each query runs on one thread, so there are as many at once as processors.
            with ThreadPoolExecutor(max_workers=_processors()) as pool:
                full, *pasts = pool.map(rows_of, sessions)
            leak = _leak(spec, full, pasts, moments)
            if leak and not rows_of(sessions[0]).equals(full):
                raise TransformError(
                    "transform.sql: gives other rows each time it runs. Leave out functions such "
                    "as random() and now(), and make rows unique before an ASOF join"
                )
        finally:
            engine.close()
    if leak:
        raise FutureLeak(leak.message)
    return TransformedRows(full, inputs, _leak_note(spec, moments))


def _in_shape(result: pl.DataFrame, spec: FeatureSetSpec) -> pl.DataFrame:
    frame = typed(result, declared_columns(spec))
    return in_order(with_labels_filled(frame, spec), _keys(spec))


def _past(index: int) -> str:
    return f"past_{index}"


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def transform_sql(spec: FeatureSetSpec) -> str:
    """The user's SELECT, or that of the only source as it is."""
    if spec.transform and spec.transform.sql:
        return spec.transform.sql
    if len(spec.sources) != 1:
        raise TransformError("transform: several sources need a `transform`")
    return f"SELECT * FROM {quoted(spec.sources[0].name)}"  # noqa: S608


def _load(
    spec: FeatureSetSpec, engine: Engine, surroundings: Surroundings, scratch: Path
) -> dict[str, tuple[InputFile, ...]]:
    inputs = {}
    for source in spec.sources:
        if source.files is None:
            raise TransformError(f"source `{source.name}`: set `files`")
        found = local_files(
            source.name,
            source.files.uris,
            data=surroundings.store.data,
            scratch=scratch,
            download=surroundings.download,
        )
        rows = load_table(engine.connection, source.name, source.files, found.files)
        _log.info(
            "source loaded", extra={"source": source.name, "rows": rows, "files": len(found.inputs)}
        )
        inputs[source.name] = found.inputs
    return inputs


def _rules(spec: FeatureSetSpec, engine: Engine) -> dict[str, tuple[KnownAt, ...]]:
    rules = {}
    for source in spec.sources:
        columns = engine.columns(source.name)
        for column in source.columns:
            for name in (column.name, column.known_at):
                if name not in columns:
                    raise TransformError(
                        f"source `{source.name}`: columns: no column `{name}`; it has "
                        f"{', '.join(columns[:12])}"
                    )
        rules[source.name] = rules_of_source(
            columns,
            known_at={column.name: column.known_at for column in source.columns},
            created_field=spec.created_timestamp_field,
            kept=_keys(spec),
        )
    return rules


def _moments(
    spec: FeatureSetSpec, engine: Engine, rules: Mapping[str, Sequence[KnownAt]]
) -> tuple[datetime, ...]:
    """Cutoffs of the leak check; none where it is off or nothing says when a row is asked."""
    is_off = spec.leak_check is not None and not spec.leak_check.enabled
    if is_off or _asked_field(spec) is None:
        return ()
    return cutoffs(engine.connection, rules)


def _leak_note(spec: FeatureSetSpec, moments: Sequence[datetime]) -> str:
    if moments:
        return ""
    if spec.leak_check is not None and not spec.leak_check.enabled:
        return "; the leak check is off"
    if spec.transform is None:
        return ""
    return (
        "; the leak check had nothing to go by: name `knownAt` of a source's columns, or "
        "`createdTimestampField`, and `timestampField`"
    )


def _leak(
    spec: FeatureSetSpec,
    full: pl.DataFrame,
    pasts: Sequence[pl.DataFrame],
    moments: Sequence[datetime],
) -> Leak | None:
    """The first feature that changes with what became known later."""
    asked = _asked_field(spec)
    if asked is None or not pasts:
        return None
    offset = parse_duration(spec.prediction_time.offset if spec.prediction_time else "0s")
    keys = _keys(spec)
    features = [feature.name for feature in spec.features if feature.name not in keys]

    def compared(frame: pl.DataFrame) -> pl.DataFrame:
        chosen = in_order(frame.select([*keys, *features]), keys)
        return chosen.with_columns((pl.col(asked) + offset).alias(_ASKED_AT))

    reference = compared(full)
    for past, cutoff in zip(pasts, moments, strict=True):
        leak = first_leak(
            reference,
            compared(past),
            asked_at=_ASKED_AT,
            keys=keys,
            features=features,
            cutoff=cutoff,
        )
        if leak:
            return leak
    return None


def _asked_field(spec: FeatureSetSpec) -> str | None:
    return spec.prediction_time.field if spec.prediction_time else spec.timestamp_field


def _keys(spec: FeatureSetSpec) -> list[str]:
    """Columns that say what a row is about, in the order of sorting."""
    times = [spec.timestamp_field, _asked_field(spec)]
    names = [*times, *(entity.name for entity in spec.entities)]
    return list(dict.fromkeys(name for name in names if name is not None))
