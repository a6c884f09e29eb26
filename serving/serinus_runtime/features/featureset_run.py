"""A FeatureSet's run, from sources to a published snapshot.

fetch and load -> lock -> transform, and again as of the past -> leaks -> columns -> private columns
hashed -> promises -> snapshot -> retention. Nothing is written to the store before the hashing.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from serinus.api.enums import Outcome, Reason
from serinus.api.featureset import FeatureSetSpec, OnFailure, Retention, Snapshot
from serinus.api.job_contract import FeatureSetRunInput, FeatureSetRunResult
from serinus.api.quantities import parse_duration
from serinus_runtime.features.columns import (
    declared_columns,
    in_order,
    typed,
    with_labels_filled,
)
from serinus_runtime.features.download import Downloader, download
from serinus_runtime.features.engine import Engine, KnownAt, check_statement
from serinus_runtime.features.expectations import Broken, broken_promises, failures
from serinus_runtime.features.leak_check import Leak, cutoffs, first_leak, rules_of_source
from serinus_runtime.features.pseudonyms import private_columns, pseudonymized, read_key
from serinus_runtime.features.snapshot import (
    STATISTICS_FILE,
    WrittenSnapshot,
    collect,
    schema_of,
    write_snapshot,
)
from serinus_runtime.features.source_files import InputFile, local_files
from serinus_runtime.features.statistics import statistics
from serinus_runtime.features.tables import load_table, quoted
from serinus_runtime.store import Store, digest_of
from serinus_runtime.user_error import FutureLeak, TransformError

_ASKED_AT = "__asked_at"
_SHOWN_FAILURES = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run finds around it."""

    store: Store
    scratch: Path
    pseudonymization_key: Path
    download: Downloader = download


@dataclass(frozen=True, slots=True)
class _Rows:
    """Result of the transform, with what it was made from; `note` is for people."""

    frame: pl.DataFrame
    inputs: Mapping[str, Sequence[InputFile]]
    note: str


def make_snapshot(run: FeatureSetRunInput, surroundings: Surroundings) -> FeatureSetRunResult:
    """Run a FeatureSet once.

    Raises
    ------
    UserError
        Spec or data have to change before this can work.
    OSError, MemoryError
        It may work when tried again.
    """
    spec = run.spec
    private = private_columns(spec)
    key = read_key(surroundings.pseudonymization_key) if private else b""
    rows = _rows(spec, surroundings)
    frame = pseudonymized(rows.frame, private, key)
    broken = broken_promises(frame, spec)
    failed = failures(broken)
    for item in broken:
        _log.warning(
            "promise broken",
            extra={
                "column": item.column,
                "rule": item.rule,
                "rows": item.rows,
                "policy": item.policy,
            },
        )
    rejects = bool(failed) and _on_failure(spec) is OnFailure.REJECT
    store = surroundings.store
    parent = (store.rejected_snapshots if rejects else store.snapshots)(run.feature_set)
    written = write_snapshot(
        parent,
        frame,
        _manifest(spec, rows.inputs, broken),
        statistics(frame, [_as_json(item) for item in broken]),
    )
    retain = (spec.retention or Retention()).snapshots
    deleted = collect(parent, retain=retain, keep=(*run.keep_digests, written.digest))
    _log.info(
        "snapshot written",
        extra={
            "digest": written.digest,
            "rows": frame.height,
            "is_new": written.is_new,
            "deleted": len(deleted),
        },
    )
    snapshot = _described(spec, store, frame, written)
    if rejects:
        return _result(run, Outcome.REJECTED, Reason.SNAPSHOT_REJECTED, _told(failed), snapshot)
    reason = Reason.SNAPSHOT_CREATED if written.is_new else Reason.SNAPSHOT_UNCHANGED
    said = f"{frame.height} rows"
    if failed:
        said += f"; used although {_told(failed)}"
    return _result(run, Outcome.SUCCEEDED, reason, said + rows.note, snapshot)


def _rows(spec: FeatureSetSpec, surroundings: Surroundings) -> _Rows:
    """The declared columns of the transform's result, sorted, after the leak check."""
    sql = _sql(spec)
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
            # Each on one thread, so as many at once as there are processors.
            with ThreadPoolExecutor(max_workers=_processors()) as pool:
                results = list(pool.map(lambda session: engine.run(session, sql), sessions))
        finally:
            engine.close()
    columns = declared_columns(spec)
    full, *pasts = (
        in_order(with_labels_filled(typed(result, columns), spec), _keys(spec))
        for result in results
    )
    _check_leaks(spec, full, pasts, moments)
    return _Rows(full, inputs, _leak_note(spec, moments))


def _past(index: int) -> str:
    return f"past_{index}"


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _sql(spec: FeatureSetSpec) -> str:
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


def _check_leaks(
    spec: FeatureSetSpec,
    full: pl.DataFrame,
    pasts: Sequence[pl.DataFrame],
    moments: Sequence[datetime],
) -> None:
    asked = _asked_field(spec)
    if asked is None:
        return
    offset = parse_duration(spec.prediction_time.offset) if spec.prediction_time else None
    keys = _keys(spec)
    features = [feature.name for feature in spec.features if feature.name not in keys]
    moment = pl.col(asked) if offset is None else pl.col(asked) + offset

    def compared(frame: pl.DataFrame) -> pl.DataFrame:
        chosen = in_order(frame.select([*keys, *features]), keys)
        return chosen.with_columns(moment.alias(_ASKED_AT))

    reference = compared(full) if pasts else full
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
            raise _leak_error(leak)


def _leak_error(leak: Leak) -> FutureLeak:
    return FutureLeak(leak.message)


def _asked_field(spec: FeatureSetSpec) -> str | None:
    return spec.prediction_time.field if spec.prediction_time else spec.timestamp_field


def _keys(spec: FeatureSetSpec) -> list[str]:
    """Columns that say what a row is about, in the order of sorting."""
    times = [spec.timestamp_field, _asked_field(spec)]
    names = [*times, *(entity.name for entity in spec.entities)]
    return list(dict.fromkeys(name for name in names if name is not None))


def _on_failure(spec: FeatureSetSpec) -> OnFailure:
    chosen = spec.validation.on_failure if spec.validation else None
    return chosen or OnFailure.REJECT


def _told(failed: Sequence[Broken]) -> str:
    told = "; ".join(item.message for item in failed[:_SHOWN_FAILURES])
    more = len(failed) - _SHOWN_FAILURES
    return told + (f"; and {more} more" if more > 0 else "")


def _as_json(item: Broken) -> dict[str, Any]:
    return {
        "column": item.column,
        "rule": item.rule,
        "rows": item.rows,
        "of": item.of,
        "policy": item.policy,
    }


def _manifest(
    spec: FeatureSetSpec, inputs: Mapping[str, Sequence[InputFile]], broken: Sequence[Broken]
) -> dict[str, Any]:
    return {
        "schema": schema_of(spec),
        "transformDigest": digest_of(_sql(spec).encode()),
        "inputs": {
            name: [
                {"uri": file.uri, "digest": file.digest, "sizeBytes": file.size_bytes}
                for file in files
            ]
            for name, files in inputs.items()
        },
        "valid": not failures(tuple(broken)),
    }


def _described(
    spec: FeatureSetSpec, store: Store, frame: pl.DataFrame, written: WrittenSnapshot
) -> Snapshot:
    times = frame[spec.timestamp_field] if spec.timestamp_field else None
    made = datetime.fromtimestamp((written.path / "manifest.json").stat().st_mtime, UTC)
    return Snapshot(
        digest=written.digest,
        uri=store.uri(written.path),
        rows=frame.height,
        from_=None if times is None else _shown(times.min()),
        to=None if times is None else _shown(times.max()),
        created_at=_shown(made),
        statistics_ref=store.uri(written.path / STATISTICS_FILE),
    )


def _shown(moment: Any) -> str | None:
    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _result(
    run: FeatureSetRunInput,
    outcome: Outcome,
    reason: Reason,
    message: str,
    snapshot: Snapshot,
) -> FeatureSetRunResult:
    return FeatureSetRunResult(
        run=run.run,
        identity=run.identity,
        outcome=outcome,
        reason=reason.value,
        message=message,
        snapshot=snapshot,
    )
