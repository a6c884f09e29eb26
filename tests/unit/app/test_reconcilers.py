from datetime import UTC, datetime

import pytest

from serinus.api.enums import Kind
from serinus.app.reconcilers import reconcilers
from serinus.cluster.events import EventRecorder
from serinus.cluster.gateways import Gateways
from serinus.cluster.gather import Gatherer
from serinus.cluster.inquiries import Inquiries
from serinus.cluster.metric_templates import MetricTemplates
from serinus.cluster.records import Records
from serinus.cluster.store import Store
from serinus.cluster.vouching import NobodyVouches
from serinus.hooks.desk import HookDesk
from serinus.manifests.settings import Settings
from serinus.metrics.prometheus_reader import NoMetricSource
from tests.support.clock import VirtualClock
from tests.support.fake_kube import FakeKube
from tests.support.observed import our

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_has_a_reconciler_that_answers_to_anything(kind: Kind) -> None:
    gatherer = Gatherer(Store(), Settings("jobs", "server"), NobodyVouches())
    kube, clock = FakeKube(), VirtualClock()
    records = Records(kube, EventRecorder(kube, clock, instance="test"), clock)
    inquiries = Inquiries(NoMetricSource(), lambda _: None)
    templates = MetricTemplates(kube, clock, shared_namespace="serinus-system")
    hooks = HookDesk((), lambda _: None, lambda *_: None, clock.now)
    table = reconcilers(gatherer, inquiries, records, templates, hooks, Gateways(kube))

    decision = await table[kind](our(kind, "odd", spec={"odd": True}), frozenset(), NOW)

    assert decision.status is not None
    assert decision.status["conditions"]
