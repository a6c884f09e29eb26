"""Whatever happens to the store, to the sample and to the pod, each row is where its count says."""

import json
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.prediction_log.buffer import LogBuffer
from serinus_runtime.prediction_log.files import Writer, files_in
from serinus_runtime.prediction_log.logged import is_sampled
from serinus_runtime.prediction_log.table import LogSchema
from serinus_runtime.prediction_log.writer import (
    POLICY_SECONDS,
    RETRY_SECONDS,
    LogPlace,
    LogWriter,
)
from tests.support.parquet_readers import by_pyarrow

pytestmark = pytest.mark.slow

NOON_MS = 1_795_953_600_000
BYTES_MAX = 30_000
FLUSH_SECONDS = 7.0


class Logging(RuleBasedStateMachine):
    """A pod that logs into a store which comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.log, self.kept, self.policy = root / "log", root / "kept", root / "policy.json"
        self.log.mkdir()
        self.buffer = LogBuffer(BYTES_MAX)
        place = LogPlace(
            folder=self.log,
            policy_file=self.policy,
            writer=Writer("0123456789", "pod"),
            notes=(("a", "b"),),
            flush_seconds=FLUSH_SECONDS,
        )
        self.writer = LogWriter(
            self.buffer,
            LogSchema("0123456789", (InputSpec("x", Datatype.FP64),), ()),
            place,
            pause=lambda: None,
            today=lambda: date(2026, 11, 29),
        )
        self.now = 0.0
        self.percent = 0
        self.rows: dict[str, int] = {}
        self.sampled: set[str] = set()
        self.is_away = False

    @rule(percent=st.sampled_from([0, 30, 100, 100]))
    def somebody_changes_the_sample(self, percent: int) -> None:
        self.policy.write_text(
            json.dumps({"samplePercent": percent, "maxAgeSeconds": 1e6, "maxSizeBytes": 1e9})
        )
        self.now += POLICY_SECONDS
        self.writer.step(self.now)
        self.percent = percent

    @rule(requests=st.integers(1, 12), rows=st.integers(1, 40))
    def clients_ask(self, requests: int, rows: int) -> None:
        for _ in range(requests):
            number = len(self.rows)
            identity = f"id-{number}"
            self.rows[identity] = rows
            if is_sampled(identity, self.percent):
                self.sampled.add(identity)
            values = np.full((rows, 1), float(number))
            self.buffer.offer(identity, NOON_MS + number, "predict", values, values, None)

    @rule(seconds=st.sampled_from([0.0, 0.5, FLUSH_SECONDS, RETRY_SECONDS]))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds
        self.writer.step(self.now)

    @rule()
    def the_store_goes_or_comes_back(self) -> None:
        if self.is_away:
            self.log.unlink()
            self.kept.rename(self.log)
        else:
            self.log.rename(self.kept)
            self.log.write_text("")
        self.is_away = not self.is_away

    @rule()
    def the_server_ends_and_begins_again(self) -> None:
        self.writer.finish()
        assert self.buffer.counts().waiting == 0

    @invariant()
    def each_row_is_in_one_count(self) -> None:
        counts = self.buffer.counts()
        unsampled = sum(rows for one, rows in self.rows.items() if one not in self.sampled)
        total = counts.written + counts.dropped + counts.unsampled + counts.waiting
        assert total == sum(self.rows.values())
        assert counts.unsampled == unsampled
        assert min(counts.written, counts.dropped, counts.waiting) >= 0

    def teardown(self) -> None:
        """In the end the store has what was counted as written, once, and nothing else."""
        if self.is_away:
            self.the_store_goes_or_comes_back()
        found: Counter[str] = Counter()
        for file in files_in(self.log):
            found.update(by_pyarrow(file.path.read_bytes())["prediction_id"])
        assert found.total() == self.buffer.counts().written
        assert set(found) <= self.sampled
        assert all(self.rows[one] == rows for one, rows in found.items())
        assert not list(self.log.rglob(".tmp-*"))
        self.folder.cleanup()


Logging.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestLogging = Logging.TestCase
