"""Servers that log what they predict, and what stands in their files."""

import json
from pathlib import Path
from typing import Any

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.prediction_log.files import files_in
from serinus_runtime.server.serving import Serving
from tests.support.model_servers import made
from tests.support.parquet_readers import by_pyarrow

Table = dict[str, list[Any]]
_OF_THE_MOMENT = ("prediction_id", "issued_at")


def logging(package: Packaged, store: Path, folder: Path, percent: int = 100) -> Serving:
    """All that requests need, with a log below `folder` that is written."""
    policy = folder.with_suffix(".json")
    said = {"samplePercent": percent, "maxAgeSeconds": 1e9, "maxSizeBytes": 1e9}
    policy.write_text(json.dumps(said))
    serving = made(package, store, PREDICTION_LOG=str(folder), PREDICTION_LOG_POLICY=str(policy))
    assert serving.log is not None
    serving.log.start()
    return serving


def logged(serving: Serving, folder: Path) -> Table:
    """All rows of the log, which is closed."""
    assert serving.log is not None
    serving.log.close(within_seconds=20)
    table: Table = {}
    for file in files_in(folder):
        for name, column in by_pyarrow(file.path.read_bytes()).items():
            table.setdefault(name, []).extend(column)
    return table


def hold_rows_to_each_other(one: Table, other: Table) -> None:
    """They say the same, but for ids and times."""
    assert list(one) == list(other)
    for name, column in one.items():
        if name not in _OF_THE_MOMENT:
            assert repr(column) == repr(other[name]), name
    assert _firsts(one["prediction_id"]) == _firsts(other["prediction_id"])
    assert [type(at) for at in one["issued_at"]] == [type(at) for at in other["issued_at"]]


def _firsts(ids: list[str]) -> list[int]:
    """Of each row, the first one with the same id."""
    return [ids.index(identity) for identity in ids]
