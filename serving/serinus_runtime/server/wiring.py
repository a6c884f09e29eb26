"""All that requests need, made of the settings and the model and wired together."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from serinus import __version__
from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.manifest import ClassLabel
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.package import directory_of
from serinus_runtime.artifact.signature import Signature
from serinus_runtime.kernel.tensor_kernel import TensorKernel
from serinus_runtime.prediction_log.buffer import LogBuffer
from serinus_runtime.prediction_log.files import Writer
from serinus_runtime.prediction_log.table import schema_of
from serinus_runtime.prediction_log.writer import LogPlace, LogWriter, PredictionLog
from serinus_runtime.server.ab_test import ANSWER_BYTES_MAX, AbTest
from serinus_runtime.server.access_log import AccessLog, whole_lines_to_standard_output
from serinus_runtime.server.bookkeeper import Books
from serinus_runtime.server.doorkeeper import Doorkeeper, DoorLimits
from serinus_runtime.server.engine import InlineEngine, engine_for
from serinus_runtime.server.feedback import FeedbackLedger
from serinus_runtime.server.feedback_home import tag_of
from serinus_runtime.server.feedback_memory import FeedbackMemory
from serinus_runtime.server.label_rules import LabelRules, rules_in_force, without_use
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.online_features import FollowedTable, OnlineFeatures
from serinus_runtime.server.peers import ForwardSeal, ServicePeers, dns_lookup
from serinus_runtime.server.prediction_bins import bins_of
from serinus_runtime.server.prediction_id import PredictionIds
from serinus_runtime.server.revision_connection import RevisionConnection
from serinus_runtime.server.serving import Readiness, RequestLimits, Serving
from serinus_runtime.server.settings import Settings
from serinus_runtime.server.shadow import MARK, Shadow
from serinus_runtime.server.trace_collector import TraceCollector
from serinus_runtime.server.tracing import Tracing
from serinus_runtime.server.usual_rows import usual_rows
from serinus_runtime.server.usual_tensors import usual_tensors
from serinus_runtime.server.worker_cells import PodCells
from serinus_runtime.server.worker_metrics import PodReadiness, WorkerMetrics
from serinus_runtime.server.worker_process import WorkerPlace
from serinus_runtime.store import Store

logger = logging.getLogger(__name__)

IDLE_SECONDS = 75
"""Longer than clients' pools keep idle connections, so that it is the client who closes them."""

_UNTAKEN_REQUESTS = 3
"""How long an answer waits for its client to take it, in times that a request has to come."""

_BODIES_HELD_MIN = 2
"""Bodies of the largest size that are held at least."""

_OTHER_FILES = 128
"""Files that aren't connections: libraries, logs, the model."""

_IDS_PER_SECOND_MAX = 64_000
"""A process that starts anew under an address numbers its ids from the clock, so far apart that
those before it never got there. The numbers of one process come round after 18 hours, those of
16 workers after 70 minutes: longer than any cohort, within which ids must differ."""


def made_serving(
    settings: Settings,
    model: Model,
    key: bytes,
    loop: asyncio.AbstractEventLoop,
    place: WorkerPlace | None = None,
) -> Serving:
    """All that requests need, wired together; `place` is that of one of several workers."""
    signature = model.manifest.signature
    bins = bins_of(model)
    ids = made_ids(settings, key, place, classes=model.classes)
    engine = engine_for(model.predictor, np.zeros((1, len(signature.inputs))), loop)
    metrics = made_metrics(settings, model)
    if place is not None:
        metrics = WorkerMetrics(metrics, place.cells)
    tensors = (
        usual_tensors(model, ids, bins, settings.max_rows)
        if isinstance(engine, InlineEngine)
        else None
    )
    return Serving(
        model=model,
        directory=directory_of(settings.model_uri, settings.store),
        encoder=RowEncoder(signature),
        tensors=tensors,
        rows={} if tensors is None else usual_rows(model, settings.revision, tensors),
        engine=engine,
        aside=ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside"),
        explaining=ThreadPoolExecutor(max_workers=1, thread_name_prefix="explaining"),
        ids=ids,
        metrics=metrics,
        bins=bins,
        ledger=made_ledger(settings, metrics),
        peers=made_peers(settings, key),
        shadow=made_shadow(settings, metrics),
        ab_test=made_ab_test(settings, metrics),
        log=made_log(settings, model, tensors),
        access_log=made_access_log(settings),
        tracing=made_tracing(settings, model),
        books=place.books if place else None,
        online=made_online(settings, signature),
        door=Doorkeeper(door_limits(settings)),
        readiness=PodReadiness(place.pod, place.cells) if place else Readiness(),
        revision=settings.revision,
        server_version=__version__,
        limits=RequestLimits(
            body_bytes=settings.max_body_bytes,
            rows=settings.max_rows,
            concurrency=settings.max_concurrency,
            answer_seconds=settings.answer_seconds,
        ),
    )


def made_metrics(settings: Settings, model: Model) -> Metrics:
    """The cells of the process."""
    return Metrics(
        deployment=settings.deployment,
        revision=settings.revision,
        model=model.manifest.model_name,
        digest=model.digest,
        bins=bins_of(model).names,
        label_rules=made_label_rules(settings, model),
    )


def made_label_rules(settings: Settings, model: Model) -> LabelRules:
    """How labels of the model are judged."""
    return rules_in_force(
        classification=model.is_classification,
        wrong_beyond=settings.feedback_wrong_beyond,
        scores=settings.feedback_scores,
    )


def tell_rules_without_use(settings: Settings, model: Model) -> None:
    """Log what the Deployment says of labels and doesn't fit its model, if there is such."""
    unused = without_use(
        made_label_rules(settings, model),
        wrong_beyond=settings.feedback_wrong_beyond,
        scores=settings.feedback_scores,
    )
    if unused:
        logger.warning(
            "`server.feedback`: %s not in force, since it doesn't fit a model for %s",
            ", ".join(unused),
            model.manifest.task.value,
        )


def made_ledger(settings: Settings, metrics: Metrics) -> FeedbackLedger:
    """What counts labels into the cells."""
    return FeedbackLedger(
        metrics,
        FeedbackMemory(settings.feedback_memory_bytes),
        settings.cohort_length_seconds,
        settings.feedback_maturity_seconds,
    )


def made_ids(
    settings: Settings,
    key: bytes,
    place: WorkerPlace | None = None,
    *,
    classes: Sequence[ClassLabel] = (),
) -> PredictionIds:
    """The maker of prediction ids, with numbers that no other process of the key has.

    Workers of a pod share its tag; the numbers of each leave a remainder of its own.
    """
    if settings.pod_ip is None:
        process = f"{settings.pod_uid}/{os.getpid()}/{time.time_ns()}"
        return PredictionIds(key, revision=settings.revision, tag=tag_of(process), classes=classes)
    step, number = (place.step, place.number) if place else (1, 0)
    first = time.time_ns() * _IDS_PER_SECOND_MAX // 10**9 * step + number
    return PredictionIds(
        key,
        revision=settings.revision,
        tag=tag_of(settings.pod_ip),
        classes=classes,
        first=first % (1 << 32),
        step=step,
    )


def made_books(settings: Settings, model: Model, key: bytes, cells: PodCells) -> Books:
    """What counts the labels of a pod with several workers."""
    metrics = made_metrics(settings, model)
    return Books(
        model=model,
        ids=made_ids(settings, key, classes=model.classes),
        ledger=made_ledger(settings, metrics),
        peers=made_peers(settings, key),
        metrics=metrics,
        cells=cells,
    )


def made_peers(settings: Settings, key: bytes) -> ServicePeers | None:
    """The other pods; None where nobody said how to find them."""
    if settings.peers is None or settings.pod_ip is None:
        return None
    return ServicePeers(
        own=settings.pod_ip,
        port=settings.port,
        lookup=dns_lookup(settings.peers, settings.port),
        seal=ForwardSeal(key),
    )


def made_shadow(settings: Settings, metrics: Metrics) -> Shadow | None:
    """What mirrors requests; None where nobody said where a shadow would be found."""
    if settings.shadow is None:
        return None
    return Shadow(
        dns_lookup(settings.shadow, settings.port),
        lambda address: RevisionConnection(address, settings.port, MARK),
        metrics,
        own_revision=settings.revision,
    )


def made_ab_test(settings: Settings, metrics: Metrics) -> AbTest | None:
    """What carries out A/B tests; None where nobody said where a canary would be found."""
    if settings.ab_test is None:
        return None
    return AbTest(
        settings.ab_test_file,
        dns_lookup(settings.ab_test, settings.port),
        lambda address, mark: RevisionConnection(
            address, settings.port, mark, answer_bytes_max=ANSWER_BYTES_MAX
        ),
        metrics,
    )


def made_log(
    settings: Settings, model: Model, tensors: TensorKernel | None
) -> PredictionLog | None:
    """The log of predictions; None where nobody said where to write it."""
    if settings.prediction_log is None:
        return None
    buffer = LogBuffer(settings.prediction_log_bytes, tensors)
    place = LogPlace(
        folder=settings.prediction_log,
        policy_file=settings.prediction_log_policy,
        writer=Writer(settings.revision, settings.pod_name or f"process-{os.getpid()}"),
        notes=(
            ("serinus.deployment", settings.deployment),
            ("serinus.model", model.manifest.model_name),
            ("serinus.model_digest", model.digest),
        ),
        flush_seconds=settings.prediction_log_seconds,
    )
    return PredictionLog(buffer, LogWriter(buffer, schema_of(model, settings.revision), place))


def made_access_log(settings: Settings) -> AccessLog | None:
    """What tells of each request; None where nobody wants it."""
    if not settings.access_log:
        return None
    return AccessLog(
        {
            "namespace": settings.namespace,
            "deployment": settings.deployment,
            "revision": settings.revision,
        },
        whole_lines_to_standard_output if settings.workers > 1 else None,
    )


def made_tracing(settings: Settings, model: Model) -> Tracing | None:
    """What makes spans of requests; None where nobody wants them, and nothing is loaded for it."""
    if settings.traces_url is None:
        return None
    from serinus_runtime.server.span_messages import SpanEncoder, rejected_of

    process = {
        "service.name": settings.deployment,
        "service.namespace": settings.namespace,
        "service.version": model.version,
        "service.instance.id": settings.pod_uid or f"process-{os.getpid()}",
        "k8s.namespace.name": settings.namespace,
        "k8s.pod.name": settings.pod_name,
    }
    of_each = {
        "serinus.model": model.manifest.model_name,
        "serinus.version": model.version,
        "serinus.revision": settings.revision,
    }
    return Tracing(
        settings.traces_sample_ratio,
        SpanEncoder(
            {key: told for key, told in process.items() if told},
            of_each,
            scope_version=__version__,
        ),
        TraceCollector(settings.traces_url, rejected_of).send,
    )


def made_online(settings: Settings, signature: Signature) -> OnlineFeatures | None:
    """What completes requests; None where nobody said from which FeatureSets.

    Raises `NoTable` where one of them has no table that the model can take.
    """
    if not settings.online_features:
        return None
    store = Store(settings.store)
    tables = [
        FollowedTable(store, name, signature, reader)
        for name, reader in zip(settings.online_features, settings.online_readers, strict=True)
    ]
    return OnlineFeatures(tables, signature)


def door_limits(settings: Settings) -> DoorLimits:
    """What all connections may take; as many of them as the process may have files."""
    return DoorLimits(
        connections=connections_possible(settings.max_connections),
        held_bytes=max(settings.max_held_bytes, _BODIES_HELD_MIN * settings.max_body_bytes),
        request_seconds=settings.request_seconds,
        silence_seconds=IDLE_SECONDS,
        untaken_seconds=_UNTAKEN_REQUESTS * settings.request_seconds,
    )


def connections_possible(wanted: int) -> int:
    """How many of the wanted connections the process may open, after asking for more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(1, allowed - _OTHER_FILES)
