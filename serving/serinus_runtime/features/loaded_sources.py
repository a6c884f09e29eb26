"""The sources of a FeatureSet as tables of the engine.

One source after the other is fetched, unpacked, loaded and its files deleted, so that disk holds
the files of one source at a time, and none when the user's SQL runs.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from serinus.api.featureset import FeatureSetSpec, Source
from serinus_runtime.features.disk_room import DiskRoom
from serinus_runtime.features.download import Downloader
from serinus_runtime.features.engine import Engine
from serinus_runtime.features.online_writes import ServerAccess
from serinus_runtime.features.pod_limits import PodLimits
from serinus_runtime.features.source_files import InputFile, local_files
from serinus_runtime.features.tables import load_table
from serinus_runtime.store import Store
from serinus_runtime.user_error import TransformError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run finds around it."""

    store: Store
    scratch: Path
    pseudonymization_key: Path
    online_server: ServerAccess
    download: Downloader
    limits: PodLimits
    now: Callable[[], datetime]


def load_sources(
    spec: FeatureSetSpec, engine: Engine, surroundings: Surroundings
) -> Mapping[str, tuple[InputFile, ...]]:
    """Load each source under its name; what was read, by source.

    Raises
    ------
    UserError
        A source can't be used, or needs more disk than there is.
    OSError
        It may work when tried again.
    """
    inputs = {source.name: _load(source, engine, surroundings) for source in spec.sources}
    engine.limit_spill(surroundings.limits.scratch_bytes)
    return inputs


def _load(source: Source, engine: Engine, surroundings: Surroundings) -> tuple[InputFile, ...]:
    if source.files is None:
        raise TransformError(f"source `{source.name}`: set `files`")
    room = DiskRoom(surroundings.limits.scratch_bytes - engine.spilled_bytes())
    with tempfile.TemporaryDirectory(prefix="source-", dir=surroundings.scratch) as scratch:
        found = local_files(
            source.name,
            source.files.uris,
            data=surroundings.store.data,
            scratch=Path(scratch),
            download=surroundings.download,
            room=room,
        )
        engine.limit_spill(engine.spilled_bytes() + room.left_bytes)
        rows = load_table(engine.connection, source.name, source.files, found.files)
    _log.info(
        "source loaded", extra={"source": source.name, "rows": rows, "files": len(found.inputs)}
    )
    return found.inputs
