"""When files are written, what waits while the store is away, and where each row went."""

import json
import logging
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.prediction_log.buffer import LogBuffer, LogCounts
from serinus_runtime.prediction_log.files import Writer, files_in
from serinus_runtime.prediction_log.table import LogSchema
from serinus_runtime.prediction_log.writer import (
    CLEAR_SECONDS,
    POLICY_SECONDS,
    RETRY_SECONDS,
    LogPlace,
    LogWriter,
    PredictionLog,
)
from tests.support.parquet_readers import by_pyarrow

FLUSH_SECONDS = 60.0
MAX_AGE_DAYS = 30
TODAY = date(2026, 11, 29)
NOON_MS = 1_795_953_600_000
DAY_MS = 86_400_000
SCHEMA = LogSchema("0123456789", (InputSpec("x", Datatype.FP64),), ())


class Logged:
    """A buffer and its writer over a folder, and a clock that stands still until told."""

    def __init__(self, folder: Path, percent: int = 100, bytes_max: int = 64 << 20) -> None:
        self.folder = folder / "log"
        self.folder.mkdir()
        self.policy = folder / "policy.json"
        self.say(percent)
        self.buffer = LogBuffer(bytes_max)
        place = LogPlace(
            folder=self.folder,
            policy_file=self.policy,
            writer=Writer("0123456789", "pod"),
            notes=(("serinus.model", "m"),),
            flush_seconds=FLUSH_SECONDS,
        )
        self.today = TODAY
        self.writer = LogWriter(
            self.buffer, SCHEMA, place, pause=lambda: None, today=lambda: self.today
        )
        self.now = 1000.0
        self.offered = 0
        self.step()

    def say(self, percent: int, max_size: int = 1 << 40) -> None:
        said = {
            "samplePercent": percent,
            "maxAgeSeconds": 86400 * MAX_AGE_DAYS,
            "maxSizeBytes": max_size,
        }
        self.policy.write_text(json.dumps(said))

    def offer(self, requests: int = 1, rows: int = 2, at_ms: int = NOON_MS) -> None:
        for _ in range(requests):
            values = np.full((rows, 1), float(self.offered))
            self.buffer.offer(f"id-{self.offered}", at_ms, "predict", values, values, None)
            self.offered += 1

    def step(self, after: float = 0.0) -> None:
        self.now += after
        self.writer.step(self.now)

    @property
    def counts(self) -> LogCounts:
        return self.buffer.counts()

    def values(self) -> list[list[float]]:
        """Of each file, the values of its first input."""
        return [by_pyarrow(file.path.read_bytes())["input_x"] for file in files_in(self.folder)]

    def away(self, is_away: bool) -> None:
        """Where the folder of the days was, there is a file: nobody can write below it."""
        if is_away:
            self.folder.rename(self.folder.with_name("kept"))
            self.folder.write_text("")
        else:
            self.folder.unlink()
            self.folder.with_name("kept").rename(self.folder)


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    return Logged(tmp_path)


def test_rows_are_written_once_they_are_old_enough(logged: Logged) -> None:
    logged.offer(3)
    logged.step()
    logged.step(after=FLUSH_SECONDS - 1)
    before = logged.values()
    logged.step(after=1)

    assert before == []
    assert logged.values() == [[0.0, 0.0, 1.0, 1.0, 2.0, 2.0]]
    assert logged.counts == LogCounts(written=6)


def test_a_file_is_written_as_soon_as_it_is_large_enough(logged: Logged) -> None:
    logged.offer(8, rows=100_000)
    logged.step()

    assert len(list(files_in(logged.folder))) == 1
    assert 0 < logged.counts.written < 800_000
    assert logged.counts.written + logged.counts.waiting == 800_000


def test_the_end_writes_all_that_waits(logged: Logged) -> None:
    logged.offer(8, rows=100_000)

    logged.writer.finish()

    assert logged.counts == LogCounts(written=800_000)
    assert len(list(files_in(logged.folder))) == 2


def test_the_order_is_that_of_the_requests(logged: Logged) -> None:
    logged.offer(1000, rows=1)

    logged.writer.finish()

    assert logged.values() == [[float(number) for number in range(1000)]]


def test_another_sample_counts_from_the_next_look(logged: Logged) -> None:
    logged.say(0)
    logged.offer(1)
    logged.step(after=POLICY_SECONDS)
    logged.offer(1)

    assert logged.counts == LogCounts(waiting=2, unsampled=2)


def test_without_a_policy_nothing_is_logged(logged: Logged) -> None:
    logged.policy.unlink()
    logged.step(after=POLICY_SECONDS)

    logged.offer(1)

    assert logged.counts == LogCounts(unsampled=2)


def test_a_policy_that_can_t_be_read_leaves_it_as_it_was(
    logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    logged.policy.write_text("{")
    logged.step(after=POLICY_SECONDS)

    logged.offer(1)

    assert logged.counts == LogCounts(waiting=2)
    assert "policy refused" in caplog.text


def test_a_store_that_is_away_is_tried_again_and_said_once(
    logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    logged.offer(2)
    logged.step()
    logged.away(True)
    for _ in range(5):
        logged.step(after=max(FLUSH_SECONDS, RETRY_SECONDS))
    logged.offer(1)
    logged.away(False)
    logged.step(after=RETRY_SECONDS)
    logged.step()
    logged.step(after=FLUSH_SECONDS)

    assert logged.values() == [[0.0, 0.0, 1.0, 1.0], [2.0, 2.0]]
    assert logged.counts == LogCounts(written=6)
    assert caplog.text.count("can't be written") == 1
    assert caplog.text.count("written again") == 1


def test_what_waits_is_kept_where_the_store_can_t_even_be_listed(
    logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    """As a network's file system that has gone: whatever is asked fails."""
    logged.offer(3)
    there = logged.folder.rename(logged.folder.with_name("there"))
    logged.folder.symlink_to("x" * 300)  # too long for any name
    with pytest.raises(OSError, match="File name too long"):
        list(files_in(logged.folder))

    logged.step(FLUSH_SECONDS)
    logged.step(CLEAR_SECONDS)

    assert logged.counts == LogCounts(waiting=6)
    assert "prediction log can't be cleared" in caplog.text

    logged.folder.unlink()
    there.rename(logged.folder)
    logged.step(RETRY_SECONDS)
    assert logged.counts == LogCounts(written=6)


def test_what_finds_no_room_while_the_store_is_away_is_dropped_and_counted(tmp_path: Path) -> None:
    logged = Logged(tmp_path, bytes_max=100_000)
    logged.offer(10)
    logged.step()
    logged.away(True)
    logged.step(after=FLUSH_SECONDS)
    logged.offer(1000)
    full = logged.counts
    logged.away(False)
    logged.writer.finish()

    assert full.dropped > 0
    assert full.waiting + full.dropped == 2020
    assert logged.counts == LogCounts(written=full.waiting, dropped=full.dropped)
    assert sum(len(values) for values in logged.values()) == full.waiting


def test_what_can_t_be_written_in_the_end_is_dropped_and_counted(logged: Logged) -> None:
    logged.offer(3)
    logged.away(True)

    logged.writer.finish()

    assert logged.counts == LogCounts(dropped=6)


def test_the_oldest_files_go_where_there_are_too_many(logged: Logged) -> None:
    for _ in range(3):
        logged.offer(1)
        logged.writer.finish()
    sizes = [file.size_bytes for file in files_in(logged.folder)]
    logged.say(100, max_size=sizes[-1])
    logged.step(after=CLEAR_SECONDS)

    assert len(sizes) == 3
    assert logged.values() == [[2.0, 2.0]]


def test_files_go_by_age_also_while_nothing_is_logged(logged: Logged) -> None:
    for days_ago in (MAX_AGE_DAYS + 1, MAX_AGE_DAYS):
        logged.offer(1, at_ms=NOON_MS - days_ago * DAY_MS)
        logged.writer.finish()
    logged.say(0)
    before = logged.values()
    logged.step(after=CLEAR_SECONDS)
    after = logged.values()
    logged.today += timedelta(days=1)
    logged.step(after=CLEAR_SECONDS)

    assert before == [[0.0, 0.0], [1.0, 1.0]]
    assert after == [[1.0, 1.0]]
    assert logged.values() == []


def test_what_a_pod_that_died_has_left_goes_with_its_day(logged: Logged) -> None:
    logged.offer(1, at_ms=NOON_MS - MAX_AGE_DAYS * DAY_MS)
    logged.writer.finish()
    (file,) = files_in(logged.folder)
    (file.path.parent / ".tmp-0123").write_text("half a file")
    of_today = logged.folder / f"date={TODAY}"
    of_today.mkdir()
    (of_today / ".tmp-4567").write_text("being written")

    logged.step(after=CLEAR_SECONDS)
    left = [path.name for path in file.path.parent.iterdir()]
    logged.today += timedelta(days=1)
    logged.step(after=CLEAR_SECONDS)

    assert left == [file.path.name]
    assert [path.name for path in logged.folder.rglob("*")] == [of_today.name, ".tmp-4567"]


@pytest.fixture
def log_of(tmp_path: Path) -> Callable[[], tuple[Logged, PredictionLog]]:
    def make() -> tuple[Logged, PredictionLog]:
        logged = Logged(tmp_path)
        return logged, PredictionLog(logged.buffer, logged.writer)

    return make


def test_the_thread_writes_what_waits_when_it_is_closed(
    log_of: Callable[[], tuple[Logged, PredictionLog]],
) -> None:
    logged, log = log_of()
    log.start()
    logged.offer(5)

    log.close(within_seconds=20)

    assert logged.counts == LogCounts(written=10)


@pytest.mark.slow  # the thread looks twice a second
def test_a_failure_of_ours_drops_what_waits_and_the_log_goes_on(
    log_of: Callable[[], tuple[Logged, PredictionLog]], caplog: pytest.LogCaptureFixture
) -> None:
    logged, log = log_of()
    wrong = np.zeros((2, 9))
    logged.buffer.offer("id", NOON_MS, "predict", wrong, wrong, None)
    logged.offer(1)  # of another width: the two can't be in one file
    log.start()
    deadline = time.monotonic() + 20
    while not logged.counts.dropped and time.monotonic() < deadline:
        time.sleep(0.02)
    logged.offer(2)

    log.close(within_seconds=20)

    assert logged.counts == LogCounts(written=4, dropped=4)
    assert "what waited is dropped" in caplog.text
