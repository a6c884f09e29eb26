"""Records in files: lines of an export, read from a file or a folder, and added to a file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from serinus.api.record_contract import (
    DecisionRecord,
    RecordError,
    each_once,
    line_of,
    record_of_line,
)
from serinus.cli.errors import CommandError

STANDARD = "-"
_SUFFIXES = (".json", ".jsonl")


def records_in_files(sources: Iterable[str]) -> tuple[DecisionRecord, ...]:
    """All records in these files and folders, in order; `-` is standard input.

    Raises
    ------
    CommandError
        If one can't be read, has a line that is no record or was changed, or if two differ.
    """
    try:
        return each_once(record for source in sources for record in _records_in(source))
    except RecordError as error:
        raise CommandError(str(error), "compare the files; which of them is older?") from error


def add_to_file(target: str, records: Iterable[DecisionRecord]) -> int:
    """Write the records into the file, beside those that are there; gives how many are new.

    The file is replaced as a whole, so that it is complete at each moment.

    Raises
    ------
    CommandError
        If it can't be written, holds something else, or one of the records with another content.
    """
    path = Path(target)
    there = records_in_files([target]) if path.exists() else ()
    try:
        held = each_once((*there, *records))
    except RecordError as error:
        raise CommandError(f"{target}: {error}; nothing was written", _ON_DIFFERENCE) from error
    if len(held) > len(there):
        _replace(path, "".join(f"{line_of(one)}\n" for one in held))
    return len(held) - len(there)


_ON_DIFFERENCE = (
    "a record never changes: was the Deployment made anew after its records had been deleted? "
    "Then name another file"
)


def _records_in(source: str) -> Iterator[DecisionRecord]:
    for name, text in _texts_in(source):
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                yield record_of_line(line)
            except RecordError as error:
                raise CommandError(
                    f"{name}: line {number}: {error}", "take it from a copy that is whole"
                ) from error


def _texts_in(source: str) -> Iterator[tuple[str, str]]:
    """Names and contents of a file, or of all exports below a folder."""
    if source == STANDARD:
        yield "standard input", sys.stdin.read()
        return
    path = Path(source)
    paths = [path]
    if path.is_dir():
        paths = sorted(one for one in path.rglob("*") if one.suffix in _SUFFIXES and one.is_file())
    for one in paths:
        try:
            yield str(one), one.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{one}: {_words(error)}") from error


def _replace(path: Path, text: str) -> None:
    try:
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).replace(path)
        finally:
            Path(scratch).unlink(missing_ok=True)
    except OSError as error:
        raise CommandError(f"{path}: {_words(error)}") from error


def _words(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "no text in UTF-8"
