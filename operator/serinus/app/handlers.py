"""kopf as the source of events, and as nothing else.

Each event is put into the store and its owners' keys into the queue. There is no handler of
creation, update or deletion, no index, daemon or timer, so that kopf writes nothing: no annotation,
no finalizer, no event, no patch. It runs on every replica; who may write is the Lease's matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import kopf

from serinus.app.no_differences import NoDifferences
from serinus.cluster.credentials import ApiServer
from serinus.cluster.feed import Feed
from serinus.cluster.kube import PAGE_SIZE
from serinus.cluster.resources import Resource
from serinus.cluster.store import WatchEvent

SawEvent = Callable[[str, float], None]
"""Told of each event: its resource's label and the wall-clock time in seconds."""


IDLE_SECONDS = 0.5
"""For how long the task that kopf starts for each object outlives its last event: with kopf's five
seconds, those of thousands of objects would all be there at once after a start."""
TOKEN_VALID_FOR = timedelta(minutes=5)
"""The file of a service account's token is read anew after this time."""


def event_registry(
    server: ApiServer, feed: Feed, saw: SawEvent, resources: Sequence[Resource]
) -> kopf.OperatorRegistry:
    """Handlers for the observed resources, with the credentials that our own requests use."""
    registry = kopf.OperatorRegistry()

    async def log_in(**_: object) -> kopf.ConnectionInfo:
        headers, found = await server.headers(), server.configuration
        return kopf.ConnectionInfo(
            server=server.url,
            ca_path=found.ssl_ca_cert,
            insecure=not found.verify_ssl,
            certificate_path=found.cert_file,
            private_key_path=found.key_file,
            scheme="Bearer" if headers else None,
            token=headers["Authorization"].partition(" ")[2] if headers else None,
            expiration=datetime.now(UTC) + TOKEN_VALID_FOR if headers else None,
        )

    kopf.on.login(registry=registry, id="login", retries=5, backoff=1.0)(log_in)
    for resource in resources:
        _register(registry, resource, feed, saw)
    return registry


def event_settings(resources: Sequence[Resource]) -> kopf.OperatorSettings:
    """Watch what is ours, on the server's side; write nothing."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = NoDifferences()
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.watching.chunk_size = PAGE_SIZE
    settings.watching.connect_timeout = 5.0
    settings.networking.connect_timeout = 5.0
    settings.networking.request_timeout = 60.0
    for resource in resources:
        place = resource.group, resource.version, resource.plural
        if resource.label_selector:
            settings.watching.label_selectors[place] = resource.label_selector
        if resource.field_selector:
            settings.watching.field_selectors[place] = resource.field_selector
    return settings


def _register(
    registry: kopf.OperatorRegistry, resource: Resource, feed: Feed, saw: SawEvent
) -> None:
    async def observe(event: kopf.RawEvent, **_: Any) -> None:
        body = cast(dict[str, Any], event["object"])
        # Items of a list come without these two.
        body.setdefault("apiVersion", resource.api_version)
        body.setdefault("kind", resource.kind)
        feed.observe(WatchEvent(event["type"] or WatchEvent.LISTED), body)
        saw(resource.label, time.time())

    kopf.on.event(
        resource.group, resource.version, resource.plural, registry=registry, id=resource.label
    )(observe)
