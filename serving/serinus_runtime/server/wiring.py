"""All that requests need, made of the settings and the model and wired together."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from serinus import __version__
from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.model import Model
from serinus_runtime.server.doorkeeper import Doorkeeper, DoorLimits
from serinus_runtime.server.engine import engine_for
from serinus_runtime.server.feedback import FeedbackLedger
from serinus_runtime.server.feedback_home import tag_of
from serinus_runtime.server.feedback_memory import FeedbackMemory
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.peers import ForwardSeal, ServicePeers, dns_lookup
from serinus_runtime.server.prediction_bins import bins_of
from serinus_runtime.server.prediction_id import PredictionIds
from serinus_runtime.server.serving import Readiness, RequestLimits, Serving
from serinus_runtime.server.settings import Settings
from serinus_runtime.server.shadow import Shadow
from serinus_runtime.server.shadow_connection import ShadowConnection

IDLE_SECONDS = 75
"""Longer than clients' pools keep idle connections, so that it is the client who closes them."""

_UNTAKEN_REQUESTS = 3
"""How long an answer waits for its client to take it, in times that a request has to come."""

_BODIES_HELD_MIN = 2
"""Bodies of the largest size that are held at least."""

_OTHER_FILES = 128
"""Files that aren't connections: libraries, logs, the model."""

_IDS_PER_SECOND_MAX = 16_000
"""A process that starts anew under an address numbers its ids from the clock, so far apart that
those before it never got there; the numbers come round after three days, longer than the longest
cohorts are kept."""


def made_serving(
    settings: Settings, model: Model, key: bytes, loop: asyncio.AbstractEventLoop
) -> Serving:
    """All that requests need, wired together."""
    signature = model.manifest.signature
    bins = bins_of(model)
    metrics = Metrics(
        deployment=settings.deployment,
        revision=settings.revision,
        model=model.manifest.model_name,
        digest=model.digest,
        bins=bins.names,
    )
    return Serving(
        model=model,
        encoder=RowEncoder(signature),
        engine=engine_for(model.predictor, np.zeros((1, len(signature.inputs))), loop),
        aside=ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside"),
        ids=made_ids(settings, key),
        metrics=metrics,
        bins=bins,
        ledger=FeedbackLedger(
            metrics,
            FeedbackMemory(settings.feedback_memory_bytes),
            settings.cohort_length_seconds,
            settings.feedback_maturity_seconds,
        ),
        peers=made_peers(settings, key),
        shadow=made_shadow(settings, metrics),
        door=Doorkeeper(door_limits(settings)),
        readiness=Readiness(),
        revision=settings.revision,
        server_version=__version__,
        limits=RequestLimits(
            body_bytes=settings.max_body_bytes,
            rows=settings.max_rows,
            concurrency=settings.max_concurrency,
        ),
    )


def made_ids(settings: Settings, key: bytes) -> PredictionIds:
    """The maker of prediction ids, with numbers that no other process of the key has."""
    if settings.pod_ip is None:
        process = f"{settings.pod_uid}/{os.getpid()}/{time.time_ns()}"
        return PredictionIds(key, revision=settings.revision, tag=tag_of(process))
    first = time.time_ns() * _IDS_PER_SECOND_MAX // 10**9
    return PredictionIds(
        key, revision=settings.revision, tag=tag_of(settings.pod_ip), first=first % (1 << 32)
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
        lambda address: ShadowConnection(address, settings.port),
        metrics,
        own_revision=settings.revision,
    )


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
