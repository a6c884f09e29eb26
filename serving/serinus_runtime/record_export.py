"""Entry point of the Job that copies the records of decisions of its namespace into the store.

::

    ConfigMap `<deployment>-record-<n>`  ──►  records/<namespace>/<deployment>/<n>.json

Each file is one line of an export, made of the record alone. What is in the store is never written
again: a record that differs from it is named, all others are copied all the same, and the Job
fails. Nothing is deleted, neither here nor there.
"""

from __future__ import annotations

import logging
import os
import sys
import urllib.error
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus.api.record_contract import (
    RECORD_OF_LABEL,
    DecisionRecord,
    RecordError,
    line_of,
    record_in,
)
from serinus.api.store_mount import STORE_MOUNT_PATH
from serinus_runtime.config_maps import ServiceAccount, config_maps
from serinus_runtime.server.json_log import configure_logging
from serinus_runtime.store import Store, publish_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of an export; each of `problems` names a record, and what is wrong with it."""

    added: int
    known: int
    problems: tuple[str, ...]


def export(found: Iterable[Mapping[str, Any]], store: Store) -> Exported:
    """Copy the records that the store doesn't have; raises `OSError` where it can't be written."""
    added, known, problems = 0, 0, []
    for body in found:
        try:
            if _is_added(record_in(body), store):
                added += 1
            else:
                known += 1
        except RecordError as error:
            problems.append(str(error))
    return Exported(added, known, tuple(problems))


def main(account: ServiceAccount, store: Store) -> int:
    """Export all records of the namespace; exit code 0 where the store has each of them."""
    try:
        exported = export(config_maps(account, selector=RECORD_OF_LABEL), store)
    except urllib.error.HTTPError as error:
        _log.error("records not listed", extra={"detail": f"{error.code} {error.reason}"})
        return 1
    except OSError as error:
        _log.error("export ended early", extra={"detail": str(error)})
        return 1
    for problem in exported.problems:
        _log.error("record not exported", extra={"detail": problem})
    _log.info("records exported", extra={"added": exported.added, "known": exported.known})
    return 1 if exported.problems else 0


def _is_added(record: DecisionRecord, store: Store) -> bool:
    """Whether the store has the record only now."""
    target = store.record(record.namespace, record.deployment, record.number)
    content = f"{line_of(record)}\n".encode()
    if not target.exists():
        publish_file(target, content)
        return True
    if target.read_bytes() != content:
        raise RecordError(
            f"record `{record.name}` isn't what the store has as {store.uri(target)}; neither was "
            "changed. Was the Deployment made anew after its records had been deleted? Then move "
            "the folder in the store aside"
        )
    return False


if __name__ == "__main__":
    os.umask(0o002)
    configure_logging({})
    _store = Store(Path(os.environ.get("SERINUS_STORE", STORE_MOUNT_PATH)))
    sys.exit(main(ServiceAccount.of_pod(os.environ), _store))
