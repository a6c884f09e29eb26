"""Names that sort by time, and what goes first where there is too much."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from serinus_runtime.prediction_log.files import (
    LogFile,
    Writer,
    file_path,
    files_in,
    files_over,
    remove_files,
    write_file,
)

WRITER = Writer("0123456789", "delay-0123456789-abcde")
NOON_MS = 1_795_953_600_007
DAY = date(2026, 11, 29)


def test_a_name_says_when_and_by_whom(tmp_path: Path) -> None:
    path = file_path(tmp_path, WRITER, NOON_MS, 3)

    assert path == (
        tmp_path / "date=2026-11-29" / "120000007Z-0123456789-delay-0123456789-abcde-3.parquet"
    )


def test_files_are_found_the_oldest_first_and_nothing_else_is(tmp_path: Path) -> None:
    for at in (NOON_MS, NOON_MS - 86_400_000, NOON_MS - 1000):
        write_file(file_path(tmp_path, WRITER, at, 1), b"12345")
    (tmp_path / "date=2026-11-29" / "notes.txt").write_text("mine")
    (tmp_path / "date=yesterday").mkdir()
    (tmp_path / "other.parquet").write_text("mine")

    found = list(files_in(tmp_path))

    assert [(file.day.day, file.path.name[:6], file.size_bytes) for file in found] == [
        (28, "120000", 5),
        (29, "115959", 5),
        (29, "120000", 5),
    ]


def listed(*sizes_by_day: tuple[int, int]) -> list[LogFile]:
    return [
        LogFile(Path(f"{index}"), DAY - timedelta(days=days_ago), size)
        for index, (days_ago, size) in enumerate(sizes_by_day)
    ]


@pytest.mark.parametrize(
    ("sizes_by_day", "gone"),
    [
        ([], []),
        ([(2, 1), (1, 1), (0, 1)], []),
        ([(3, 1), (2, 1)], [0]),
        ([(9, 1), (8, 1), (0, 1)], [0, 1]),
        ([(2, 50), (1, 50), (0, 50)], [0]),
        ([(9, 90), (2, 50), (1, 50), (0, 1)], [0, 1]),
        ([(0, 200)], [0]),
    ],
)
def test_the_too_old_go_and_then_the_oldest(
    sizes_by_day: list[tuple[int, int]], gone: list[int]
) -> None:
    files = listed(*sizes_by_day)

    over = files_over(files, DAY, max_age=timedelta(days=2), max_size_bytes=100)

    assert over == [files[index] for index in gone]


def test_removed_twice_is_removed(tmp_path: Path) -> None:
    write_file(file_path(tmp_path, WRITER, NOON_MS, 1), b"1")
    write_file(file_path(tmp_path, WRITER, NOON_MS, 2), b"2")
    first, second = files_in(tmp_path)

    remove_files([first])
    remove_files([first])
    left = list(files_in(tmp_path))
    remove_files([second])

    assert left == [second]
    assert list(tmp_path.iterdir()) == []
