"""FeatureSets and TrainingJobs over a small invented airline, as Jobs get them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from serinus.api.job_contract import (
    FeatureSetRunInput,
    FeatureSetRunResult,
    TrainingRunInput,
    TrainingRunResult,
)
from serinus_runtime.features.download import HttpDownloader
from serinus_runtime.features.featureset_run import make_snapshot
from serinus_runtime.features.loaded_sources import Surroundings
from serinus_runtime.features.online_writes import ServerAccess
from serinus_runtime.features.pod_limits import PodLimits
from serinus_runtime.store import Store
from serinus_runtime.training.training_run import train

START = datetime(2024, 1, 1, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
LIMITS = PodLimits(memory_bytes=None, processors=2, scratch_bytes=1 << 30)

HONEST_SQL = """
SELECT flights.*, scheduled_at - INTERVAL 1 HOUR AS as_of,
  (SELECT avg(other.delay) FROM flights AS other
   WHERE other.landed_at <= flights.scheduled_at - INTERVAL 1 HOUR) AS delay_so_far,
  coalesce(delay > 15, true) AS late
FROM flights
"""
LEAKING_SQL = """
SELECT flights.*, avg(delay) OVER (ORDER BY scheduled_at ROWS 3 PRECEDING) AS delay_so_far,
  coalesce(delay > 15, true) AS late
FROM flights
"""


def flights(rows: int = 400, *, seed: int = 0) -> list[dict[str, Any]]:
    """Flights every half hour; carriers differ in delay, a few are cancelled (delay null)."""
    chance = random.Random(seed)
    found = []
    for number in range(rows):
        scheduled_at = START + timedelta(minutes=30 * number)
        carrier = chance.choice(["AA", "DL", "UA"])
        cancelled = chance.random() < 0.03
        delay = round(chance.gauss({"AA": 0, "DL": 10, "UA": 25}[carrier], 15))
        landed_at = scheduled_at + timedelta(hours=2, minutes=delay)
        found.append(
            {
                "scheduled_at": scheduled_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "flight": number,
                "carrier": carrier,
                "tailnum": f"N{number % 7}",
                "distance": round(chance.uniform(100, 3000), 1),
                "delay": "NA" if cancelled else delay,
                "landed_at": "NA" if cancelled else landed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
    return found


def csv_text(rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> str:
    lines = [delimiter.join(rows[0]), *(delimiter.join(map(str, row.values())) for row in rows)]
    return "\n".join(lines) + "\n"


def source(**changes: Any) -> dict[str, Any]:
    """The source `flights`; `changes` by field."""
    return {
        "name": "flights",
        "files": {
            "uris": ["file:///data/flights.csv"],
            "format": "csv",
            "csv": {"nullValues": ["NA"]},
        },
        "columns": [{"name": "delay", "knownAt": "landed_at"}],
    } | changes


def feature_set(**changes: Any) -> dict[str, Any]:
    """A FeatureSet's spec; `changes` by field."""
    return {
        "entities": [{"name": "flight", "type": "int64"}],
        "timestampField": "scheduled_at",
        "predictionTime": {"field": "scheduled_at", "offset": "-60m"},
        "sources": [source()],
        "transform": {"sql": HONEST_SQL},
        "features": [
            {"name": "carrier", "type": "string"},
            {"name": "distance", "type": "float64", "unit": "mi", "expect": {"min": "0"}},
            {"name": "delay_so_far", "type": "float64", "unit": "min"},
        ],
        "labels": [{"name": "late", "type": "boolean"}],
    } | changes


def training_job(estimator: str = "LogisticRegression", **changes: Any) -> dict[str, Any]:
    """A TrainingJob's spec; `changes` by field."""
    return {
        "modelName": "flight-delay",
        "featureSetRefs": [{"name": "flights"}],
        "label": "late",
        "task": "classification",
        "trainer": {"sklearn": {"estimator": estimator}},
    } | changes


@dataclass(frozen=True)
class DataPlane:
    """A store in a folder, and the Jobs that work on it."""

    root: Path
    limits: PodLimits = LIMITS

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    @property
    def key_path(self) -> Path:
        return self.root / "key"

    def surroundings(self, later: timedelta = timedelta()) -> Surroundings:
        """What a run finds around it that begins so much later."""
        scratch = self.root / "scratch"
        scratch.mkdir(exist_ok=True)
        return Surroundings(
            self.store,
            scratch,
            self.key_path,
            ServerAccess(self.root / "password", self.root / "ca", pauses_seconds=()),
            HttpDownloader(patience_seconds=0),
            self.limits,
            lambda: datetime.now(UTC) + later,
        )

    def put(self, name: str, content: str | bytes) -> Path:
        """A source file."""
        path = self.store.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def put_flights(self, rows: int = 400) -> None:
        self.put("flights.csv", csv_text(flights(rows)))

    def put_key(self) -> None:
        self.key_path.write_bytes(KEY)

    def run_input(self, *, keep: Sequence[str] = (), **changes: Any) -> FeatureSetRunInput:
        """What the FeatureSet's Job is told."""
        document = {
            "run": "flights-snapshot-1",
            "identity": "sha256:1",
            "namespace": "default",
            "featureSet": "flights",
            "keepDigests": list(keep),
            "spec": feature_set(**changes),
        }
        return FeatureSetRunInput.model_validate(document)

    def snapshot(
        self, *, keep: Sequence[str] = (), later: timedelta = timedelta(), **changes: Any
    ) -> FeatureSetRunResult:
        """Run the FeatureSet; raises what the run raises."""
        return make_snapshot(self.run_input(keep=keep, **changes), self.surroundings(later))

    def train(self, snapshot: FeatureSetRunResult, job: Mapping[str, Any]) -> TrainingRunResult:
        """Run a TrainingJob on a snapshot; raises what the run raises."""
        assert snapshot.snapshot is not None
        pinned = {
            "featureSet": "flights",
            "digest": snapshot.snapshot.digest,
            "uri": snapshot.snapshot.uri,
        }
        document = {
            "run": "delay-train-1",
            "identity": "sha256:2",
            "namespace": "default",
            "trainingJob": "delay",
            "snapshots": [pinned],
            "spec": dict(job),
        }
        return train(TrainingRunInput.model_validate(document), self.store)
