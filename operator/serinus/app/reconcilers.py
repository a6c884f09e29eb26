"""The table of kinds: how each is gathered, and the pure function that decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from serinus.api.enums import Kind
from serinus.cluster.gather import Gatherer
from serinus.cluster.worker import Decide
from serinus.reconcile import deployment, featureset, modelversion, trainingjob
from serinus.reconcile.decision import Decision, JsonObject, ObjectRef


def reconcilers(gatherer: Gatherer) -> Mapping[Kind, Decide]:
    """One row a kind."""
    return {
        Kind.FEATURE_SET: _at_once(
            lambda resource, taken, now: featureset.reconcile(
                gatherer.feature_set(resource, taken), now
            )
        ),
        Kind.TRAINING_JOB: _at_once(
            lambda resource, taken, now: trainingjob.reconcile(
                gatherer.training_job(resource, taken), now
            )
        ),
        Kind.MODEL_VERSION: _at_once(
            lambda resource, taken, now: modelversion.reconcile(
                gatherer.model_version(resource, taken), now
            )
        ),
        Kind.DEPLOYMENT: _deployment(gatherer),
    }


def _at_once(
    decide: Callable[[JsonObject, frozenset[ObjectRef], datetime], Decision],
) -> Decide:
    async def decided(resource: JsonObject, taken: frozenset[ObjectRef], now: datetime) -> Decision:
        return decide(resource, taken, now)

    return decided


def _deployment(gatherer: Gatherer) -> Decide:
    """Only a Deployment needs samples: they are fetched before it is decided on."""

    async def decided(resource: JsonObject, taken: frozenset[ObjectRef], now: datetime) -> Decision:
        snapshot = gatherer.deployment(resource, taken)
        complete = await gatherer.with_samples(snapshot, deployment.queries, now)
        return deployment.reconcile(complete, now)

    return decided
