"""All that a request needs, made once when the process starts."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.model import Model
from serinus_runtime.kernel.rows_kernel import RowsKernel
from serinus_runtime.kernel.tensor_kernel import TensorKernel
from serinus_runtime.prediction_log.writer import PredictionLog
from serinus_runtime.server.ab_test import AbTest
from serinus_runtime.server.access_log import AccessLog
from serinus_runtime.server.doorkeeper import Doorkeeper
from serinus_runtime.server.engine import BatchingEngine, InlineEngine
from serinus_runtime.server.feedback import FeedbackLedger
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.online_features import OnlineFeatures
from serinus_runtime.server.peers import Peers
from serinus_runtime.server.pod_books import PodBooks
from serinus_runtime.server.prediction_bins import PredictionBins
from serinus_runtime.server.prediction_id import PredictionIds
from serinus_runtime.server.shadow import Shadow
from serinus_runtime.server.tracing import Tracing


@dataclass(slots=True)
class Readiness:
    """Whether the pod wants traffic. It stops wanting it at once when told to end."""

    ready: bool = True


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may bring, how many may be answered at once, and how long each may wait.

    `answer_seconds` are from a request's last byte on.
    """

    body_bytes: int
    rows: int
    concurrency: int
    answer_seconds: float


@dataclass(frozen=True, slots=True)
class Serving:
    """All that a request needs.

    `tensors` answers usual requests in C, None: there are none such; `rows` those of other forms
    by their word.
    `aside` is one thread, for what would hold the event loop, `explaining` another that only
    explains; `directory` is the model's package. `peers` are the pods that may count
    labels; None: this one counts them all. `shadow` mirrors requests, `ab_test` hands those of some
    units to another revision; None: nobody said to whom. `log` keeps predictions, `access_log`
    tells of each request, `tracing` makes spans of them; None: they aren't. `books` is where the
    pod's labels and sums are kept; None: here. `online` completes requests; None: what they leave
    out is missing.
    """

    model: Model
    directory: Path
    tensors: TensorKernel | None
    rows: Mapping[str, RowsKernel]
    encoder: RowEncoder
    engine: InlineEngine | BatchingEngine
    aside: Executor
    explaining: Executor
    ids: PredictionIds
    metrics: Metrics
    bins: PredictionBins
    ledger: FeedbackLedger
    peers: Peers | None
    shadow: Shadow | None
    ab_test: AbTest | None
    log: PredictionLog | None
    access_log: AccessLog | None
    tracing: Tracing | None
    books: PodBooks | None
    online: OnlineFeatures | None
    door: Doorkeeper
    readiness: Readiness
    revision: str
    server_version: str
    limits: RequestLimits
