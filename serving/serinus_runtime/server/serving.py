"""All that a request needs, made once when the process starts."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.model import Model
from serinus_runtime.server.doorkeeper import Doorkeeper
from serinus_runtime.server.engine import BatchingEngine, InlineEngine
from serinus_runtime.server.feedback import FeedbackLedger
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.peers import Peers
from serinus_runtime.server.prediction_bins import PredictionBins
from serinus_runtime.server.prediction_id import PredictionIds
from serinus_runtime.server.shadow import Shadow


@dataclass(slots=True)
class Readiness:
    """Whether the pod wants traffic. It stops wanting it at once when told to end."""

    ready: bool = True


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may bring, and how many may be answered at once."""

    body_bytes: int
    rows: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Serving:
    """All that a request needs.

    `aside` is one thread, for what would hold the event loop. `peers` are the pods that may count
    labels; None: this one counts them all. `shadow` mirrors requests; None: nobody said to whom.
    """

    model: Model
    encoder: RowEncoder
    engine: InlineEngine | BatchingEngine
    aside: Executor
    ids: PredictionIds
    metrics: Metrics
    bins: PredictionBins
    ledger: FeedbackLedger
    peers: Peers | None
    shadow: Shadow | None
    door: Doorkeeper
    readiness: Readiness
    revision: str
    server_version: str
    limits: RequestLimits
