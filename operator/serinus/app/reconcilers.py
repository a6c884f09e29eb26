"""The table of kinds: how each is gathered, and the pure function that decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from serinus.api.enums import Kind
from serinus.cluster.gateways import Gateways
from serinus.cluster.gather import AnySnapshot, Gatherer
from serinus.cluster.inquiries import Inquiries
from serinus.cluster.metric_templates import MetricTemplates
from serinus.cluster.records import Records
from serinus.cluster.store import ref_of
from serinus.cluster.worker import Decide
from serinus.hooks.desk import HookDesk
from serinus.reconcile import featureset, modelversion, trainingjob
from serinus.reconcile.decision import Decision, JsonObject, ObjectRef


def reconcilers(
    gatherer: Gatherer,
    inquiries: Inquiries,
    records: Records,
    templates: MetricTemplates,
    hooks: HookDesk,
    gateways: Gateways,
) -> Mapping[Kind, Decide]:
    """One row a kind. Only a Deployment needs samples, and may have to ask for them first."""
    return {
        Kind.FEATURE_SET: _decides(gatherer, gatherer.feature_set, featureset.reconcile),
        Kind.TRAINING_JOB: _decides(gatherer, gatherer.training_job, trainingjob.reconcile),
        Kind.MODEL_VERSION: _decides(gatherer, gatherer.model_version, modelversion.reconcile),
        Kind.DEPLOYMENT: _decides_on_deployments(
            gatherer, inquiries, records, templates, hooks, gateways
        ),
    }


def _decides(
    gatherer: Gatherer,
    gather: Callable[[JsonObject, frozenset[ObjectRef]], AnySnapshot],
    reconcile: Callable[[AnySnapshot, datetime], Decision],
) -> Decide:
    async def decided(resource: JsonObject, taken: frozenset[ObjectRef], now: datetime) -> Decision:
        return reconcile(await gatherer.with_vouching(gather(resource, taken)), now)

    return decided


def _decides_on_deployments(
    gatherer: Gatherer,
    inquiries: Inquiries,
    records: Records,
    templates: MetricTemplates,
    hooks: HookDesk,
    gateways: Gateways,
) -> Decide:
    async def decided(resource: JsonObject, taken: frozenset[ObjectRef], now: datetime) -> Decision:
        snapshot = replace(
            gatherer.deployment(resource, taken),
            records=await records.seen(resource),
            templates=await templates.seen(resource),
            hooks=hooks.seen(ref_of(resource), resource),
            gateways=await gateways.seen(resource),
        )
        return await inquiries.decide(await gatherer.with_vouching(snapshot), now)

    return decided
