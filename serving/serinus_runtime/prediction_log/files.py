"""The files of a log: their names, how they appear, and which of them go.

    date=2026-11-29/<hhmmss><ms>Z-<revision>-<pod>-<number>.parquet

Readers take the folder of a day for a column `date`. Several pods write and clear one folder at the
same time: a name is one pod's, and a file that another has just removed is no failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from serinus_runtime.store import SCRATCH_PREFIX, publish_file

SUFFIX = ".parquet"
_DAY_PREFIX = "date="


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: in the names of its files."""

    revision: str
    pod: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file of the log. Those of a day sort by name as they do by time."""

    path: Path
    day: date
    size_bytes: int


def file_path(folder: Path, writer: Writer, first_at_ms: int, number: int) -> Path:
    """Where rows go of which the first was answered at `first_at_ms` (since 1970)."""
    at = datetime.fromtimestamp(first_at_ms / 1000, UTC)
    moment = f"{at:%H%M%S}{first_at_ms % 1000:03d}Z"
    name = f"{moment}-{writer.revision}-{writer.pod}-{number}{SUFFIX}"
    return folder / f"{_DAY_PREFIX}{at:%Y-%m-%d}" / name


def write_file(path: Path, content: bytes) -> None:
    """Let the file appear at once, with all its content; raises `OSError`."""
    publish_file(path, content)


def files_in(folder: Path) -> Iterator[LogFile]:
    """All files of the log, the oldest first; what else lies there isn't ours."""
    for day, day_folder in _days_in(folder):
        for path in sorted(day_folder.glob(f"*{SUFFIX}")):
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue
            yield LogFile(path, day, size)


def leftovers_in(folder: Path, before: date) -> list[LogFile]:
    """What pods that died while they wrote have left in the folders of days before that."""
    return [
        LogFile(path, day, 0)
        for day, day_folder in _days_in(folder)
        if day < before
        for path in day_folder.glob(f"{SCRATCH_PREFIX}*")
    ]


def _days_in(folder: Path) -> list[tuple[date, Path]]:
    """Days and their folders, the oldest first."""
    found = ((_day_of(path), path) for path in folder.glob(f"{_DAY_PREFIX}*"))
    return sorted((day, path) for day, path in found if day is not None)


def _day_of(path: Path) -> date | None:
    try:
        return date.fromisoformat(path.name.removeprefix(_DAY_PREFIX))
    except ValueError:
        return None


def files_over(
    files: Iterable[LogFile], today: date, *, max_age: timedelta, max_size_bytes: int
) -> list[LogFile]:
    """The files that go, of all files in their order: the too old ones, then the oldest ones.

    A day's files go together, once the whole of it is too old.
    """
    listed = list(files)
    oldest = today - max_age
    over = [file for file in listed if file.day < oldest]
    kept = listed[len(over) :]
    size = sum(file.size_bytes for file in kept)
    for file in kept:
        if size <= max_size_bytes:
            break
        over.append(file)
        size -= file.size_bytes
    return over


def remove_files(files: Iterable[LogFile]) -> None:
    """Remove files, and the folders of days that are empty then; raises `OSError`."""
    days = set()
    for file in files:
        file.path.unlink(missing_ok=True)
        days.add(file.path.parent)
    for day in days:
        try:
            day.rmdir()
        except OSError:  # another file is in it, or another pod was quicker
            continue
