"""The operator's process: watch on every replica, act on the one that holds the Lease.

It is made to be killed at any time: whatever it must not lose is in the cluster. Every end but
an orderly one is an exit with code 1 and a restart.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

import kopf

from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.app.handlers import event_registry, event_settings
from serinus.app.log_format import log_to_stderr
from serinus.app.probes import Health, serve_probes
from serinus.app.process_gauges import process_gauges
from serinus.app.reconcilers import reconcilers
from serinus.app.settings import OperatorSettings, SettingsError, read_settings
from serinus.cluster.apply import Applier
from serinus.cluster.audit import Audit, NamespaceIsBack
from serinus.cluster.clock import SystemClock
from serinus.cluster.credentials import ApiServer, find_api_server
from serinus.cluster.errors import LeaseLost
from serinus.cluster.events import EventRecorder
from serinus.cluster.feed import Feed
from serinus.cluster.fence import FencedKube
from serinus.cluster.gateways import Gateways
from serinus.cluster.gather import Gatherer
from serinus.cluster.inquiries import Inquiries
from serinus.cluster.kube import KubeOverHttp
from serinus.cluster.lease import Lease
from serinus.cluster.metric_templates import MetricTemplates
from serinus.cluster.optional_kinds import KindsChanged, OptionalKinds
from serinus.cluster.ports import MetricSource, Vouching
from serinus.cluster.queue import WorkQueue
from serinus.cluster.store import Store
from serinus.cluster.taken_names import TakenNames
from serinus.cluster.vouching import AdmissionPolicy, NobodyVouches
from serinus.cluster.worker import Worker, run_workers
from serinus.hooks.desk import HookDesk
from serinus.metrics.exposition import OperatorMetrics
from serinus.metrics.prometheus_reader import NoMetricSource, PrometheusReader, PrometheusServer
from serinus.metrics.rollout_gauges import rollout_gauges
from serinus.notices.sender import NoticeSender
from serinus.reconcile.decision import ObjectRef

_log = logging.getLogger("serinus.app.main")  # also where it runs as `__main__`


@dataclass(frozen=True, slots=True)
class Operator:
    """The parts of one process, wired."""

    settings: OperatorSettings
    server: ApiServer
    lease: Lease
    feed: Feed
    audit: Audit
    worker: Worker
    health: Health
    metrics: OperatorMetrics
    notices: NoticeSender
    kinds: OptionalKinds

    async def lead(self, unwatched: frozenset[str]) -> None:
        """Wait for the whole picture and for the Lease, then work until the Lease is lost."""
        await self.audit.wait_until_synced()
        self.health.synced = True
        _log.info("store synced", extra={"objects": len(self.worker.store)})
        async with asyncio.TaskGroup() as group:
            # Also while standing by, so that who takes over has no picture of long ago.
            seconds = self.settings.audit_interval_seconds
            group.create_task(self.audit.run_every(seconds, unwatched=unwatched))
            group.create_task(self.kinds.watch())
            await self.lease.acquire()
            group.create_task(self.lease.keep())
            group.create_task(self.notices.run())
            group.create_task(run_workers(self.worker))

    async def start_watching(self, out_of_reach: frozenset[str]) -> set[asyncio.Task[object]]:
        """Start kopf; its tasks, each of which runs for ever."""
        namespaces = [one for one in self.settings.watch_namespaces if one not in out_of_reach]
        tasks = await kopf.spawn_tasks(
            registry=event_registry(
                self.server,
                self.feed,
                lambda resource, at: self.metrics.last_event.labels(resource).set(at),
                self.kinds.observed(),
            ),
            settings=event_settings(self.kinds.observed()),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
        )
        return set(tasks)


async def operate(settings: OperatorSettings) -> int:
    """Run until told to stop; the process's exit code."""
    stopped = asyncio.Event()
    async with AsyncExitStack() as stack:
        operator = await _wired(settings, stack)
        runner = await serve_probes(operator.health, operator.metrics, settings.port)
        stack.push_async_callback(runner.cleanup)
        out_of_reach = await operator.audit.wait_for_kinds()
        await operator.kinds.find()
        running = await operator.start_watching(out_of_reach)
        # After kopf, which takes these signals for its own: it would wait for our tasks.
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, stopped.set)
        leading = asyncio.create_task(operator.lead(out_of_reach), name="lead")
        stopping = asyncio.create_task(stopped.wait(), name="stop")
        watching_loop = asyncio.create_task(operator.health.watch_the_loop(), name="loop lag")
        running |= {leading, stopping, watching_loop}
        ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        leading.cancel()
        await asyncio.wait({leading})
        await operator.lease.release()
        return _exit_code(ended, stopping)


def _exit_code(ended: set[asyncio.Task[object]], stopping: asyncio.Task[object]) -> int:
    for task in ended - {stopping}:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, BaseExceptionGroup) and error.subgroup(LeaseLost):
            _log.warning("lease lost")
        elif isinstance(error, BaseExceptionGroup) and error.subgroup(NamespaceIsBack):
            _log.info("namespace is back")
        elif isinstance(error, BaseExceptionGroup) and error.subgroup(KindsChanged):
            _log.info("kinds of the cluster changed")
        else:
            _log.error("task ended", extra={"task": task.get_name()}, exc_info=error)
    return 0 if ended == {stopping} else 1


async def _wired(settings: OperatorSettings, stack: AsyncExitStack) -> Operator:
    clock, metrics, server = SystemClock(), OperatorMetrics(), await find_api_server()
    kube = await stack.enter_async_context(KubeOverHttp(server, observe=metrics.requested))
    source: MetricSource = NoMetricSource()
    if settings.prometheus_url:
        prometheus = PrometheusServer(settings.prometheus_url, settings.prometheus_token_file)
        source = await stack.enter_async_context(PrometheusReader(prometheus))
    lease = Lease(
        kube,
        clock,
        namespace=settings.lease_namespace,
        name=settings.lease_name,
        identity=settings.pod_uid,
    )
    vouching: Vouching = NobodyVouches()
    if settings.request_policy:
        vouching = AdmissionPolicy(kube, settings.request_policy)
    store, queue = Store(), WorkQueue[ObjectRef]()
    feed, fenced, taken = Feed(store, queue), FencedKube(kube, lease), TakenNames(clock)
    events = EventRecorder(fenced, clock, instance=settings.pod_name)
    kinds = OptionalKinds(kube)
    gatherer = Gatherer(store, settings.for_builders(), vouching, knows_routes=kinds.knows_routes)
    inquiries = Inquiries(source, queue.add)
    notices = await stack.enter_async_context(NoticeSender(settings.notices, metrics.noticed))
    hooks = await stack.enter_async_context(
        HookDesk(settings.hooks, queue.add, metrics.answered, clock.now)
    )
    templates = MetricTemplates(kube, clock, shared_namespace=settings.lease_namespace)
    applier = Applier(fenced, store, feed, taken, events, clock, recorded=notices.tell)
    worker = Worker(
        queue=queue,
        store=store,
        kube=fenced,
        applier=applier,
        taken=taken,
        clock=clock,
        reconcilers=reconcilers(
            gatherer, inquiries, applier.records, templates, hooks, Gateways(kube)
        ),
        observer=metrics,
        gone=lambda ref: _forget(ref, inquiries, hooks),
    )
    health = Health(queue, lease.seconds_held)
    metrics.read_when_scraped(lambda: process_gauges(queue, lease))
    metrics.read_when_scraped(lambda: rollout_gauges(store.all_of(API_VERSION, Kind.DEPLOYMENT)))
    audit = Audit(
        kube,
        store,
        feed,
        queue,
        settings.watch_namespaces,
        metrics.audited,
        kinds.observed,
    )
    return Operator(settings, server, lease, feed, audit, worker, health, metrics, notices, kinds)


def _forget(ref: ObjectRef, inquiries: Inquiries, hooks: HookDesk) -> None:
    inquiries.forget(ref)
    hooks.forget(ref)


def main() -> None:
    """Entry point of `serinus-operator`."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.exit(f"serinus-operator: {error}")
    log_to_stderr(settings.log_level)
    try:
        code = asyncio.run(operate(settings))
    except Exception:  # noqa: BLE001 - the last place that can say why
        _log.exception("operator ended")
        code = 1
    # Not sys.exit: nothing that still runs may hold up the end of a process that lost its Lease.
    os._exit(code)


if __name__ == "__main__":
    main()
