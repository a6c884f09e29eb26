"""A FeatureSet's run, from sources to a published snapshot.

rows -> private columns hashed -> promises -> snapshot -> the newest values -> retention.
Nothing is written to the store before the hashing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from serinus.api.enums import Outcome, Reason
from serinus.api.featureset import FeatureSetSpec, OnFailure, Retention, Snapshot
from serinus.api.job_contract import FeatureSetRunInput, FeatureSetRunResult
from serinus_runtime.digest import digest_of
from serinus_runtime.features.columns import in_order, key_columns
from serinus_runtime.features.expectations import Broken, broken_promises, failures
from serinus_runtime.features.loaded_sources import Surroundings
from serinus_runtime.features.online_table import online_table
from serinus_runtime.features.online_writes import (
    Destination,
    NotWritten,
    destination,
    write_newest,
)
from serinus_runtime.features.pseudonyms import private_columns, pseudonymized, read_key
from serinus_runtime.features.snapshot import (
    MANIFEST_FILE,
    STATISTICS_FILE,
    WrittenSnapshot,
    collect,
    schema_of,
    write_snapshot,
)
from serinus_runtime.features.source_files import InputFile
from serinus_runtime.features.statistics import statistics
from serinus_runtime.features.transformed_rows import transform_sql, transformed_rows
from serinus_runtime.online.latest import TABLE_FILE, NoTable, newest, publish
from serinus_runtime.store import Store

_SHOWN_FAILURES = 3

_log = logging.getLogger(__name__)


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
    rows = transformed_rows(spec, surroundings)
    # Sorted again: in the order of the values, the k-th pseudonym would be that of the k-th value.
    frame = in_order(pseudonymized(rows.frame, private, key), key_columns(spec))
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
    server = destination(spec, run.namespace, run.feature_set, surroundings.online_server)
    online = online_table(frame, spec)
    written = write_snapshot(
        parent,
        frame,
        _manifest(spec, rows.inputs, broken),
        statistics(frame, [_as_json(item) for item in broken]),
        {TABLE_FILE: online.content} if online else None,
    )
    followed = None if rejects else _followed(store, run.feature_set)
    entities, problem = online.entities if online else None, None
    if server is not None:
        entities, problem = (None, None) if rejects else _sent(frame, server)
    if entities is not None and not rejects:
        publish(store, run.feature_set, written.digest, server.rows if server else None)
    retain = (spec.retention or Retention()).snapshots
    deleted = collect(
        parent,
        retain=retain,
        keep=(*run.keep_digests, written.digest, *([followed] if followed else [])),
        now=surroundings.now(),
    )
    _log.info(
        "snapshot written",
        extra={
            "digest": written.digest,
            "rows": frame.height,
            "is_new": written.is_new,
            "deleted": len(deleted),
        },
    )
    snapshot = _described(spec, store, frame, written, entities)
    if rejects:
        return _result(run, Outcome.REJECTED, Reason.SNAPSHOT_REJECTED, _told(failed), snapshot)
    reason = Reason.SNAPSHOT_CREATED if written.is_new else Reason.SNAPSHOT_UNCHANGED
    said = f"{frame.height} rows"
    if failed:
        said += f"; used although {_told(failed)}"
    if problem is not None:
        said += f"; its newest values weren't written to the server: {problem}"
    done = _result(run, Outcome.SUCCEEDED, reason, said + rows.note, snapshot)
    return done.model_copy(update={"online_problem": problem})


def _sent(frame: pl.DataFrame, server: Destination) -> tuple[int | None, str | None]:
    """How many entities the server has, and why it hasn't; the snapshot is good all the same."""
    try:
        return write_newest(frame, server), None
    except NotWritten as error:
        _log.warning("newest values not written: %s", error)
        return None, str(error)


def _followed(store: Store, feature_set: str) -> str | None:
    """The snapshot whose table pods have in memory: they need some seconds to follow a new one."""
    try:
        found = newest(store, feature_set)
    except NoTable as error:
        _log.warning("the newest online table was unknown: %s", error)
        return None
    return found.snapshot if found else None


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
        "transformDigest": digest_of(transform_sql(spec).encode()),
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
    spec: FeatureSetSpec,
    store: Store,
    frame: pl.DataFrame,
    written: WrittenSnapshot,
    online_entities: int | None,
) -> Snapshot:
    times = frame[spec.timestamp_field] if spec.timestamp_field else None
    made = datetime.fromtimestamp((written.path / MANIFEST_FILE).stat().st_mtime, UTC)
    return Snapshot(
        digest=written.digest,
        uri=store.uri(written.path),
        rows=frame.height,
        from_=None if times is None else _shown(times.min()),
        to=None if times is None else _shown(times.max()),
        created_at=_shown(made),
        online_entities=online_entities,
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
