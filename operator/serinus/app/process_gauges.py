"""How the process does, for Prometheus: queue and Lease, read when scraped."""

from __future__ import annotations

from serinus.cluster.fence import Tenure
from serinus.cluster.queue import Priority, WorkQueue
from serinus.metrics.exposition import GaugeFamily, LabelledValue
from serinus.reconcile.decision import ObjectRef


def process_gauges(queue: WorkQueue[ObjectRef], lease: Tenure) -> tuple[GaugeFamily, ...]:
    """Gauges of one operator process."""
    return (
        GaugeFamily(
            "serinus_workqueue_depth",
            "Objects that wait for their pass.",
            ("priority",),
            [LabelledValue((one.name.lower(),), queue.depth(one)) for one in Priority],
        ),
        GaugeFamily(
            "serinus_workqueue_oldest_age_seconds",
            "How long the object that waits longest has been waiting for its pass.",
            ("priority",),
            [LabelledValue((one.name.lower(),), queue.oldest_age_seconds(one)) for one in Priority],
        ),
        GaugeFamily(
            "serinus_lease_held",
            "1 in the process that may write, 0 in those that stand by.",
            (),
            [LabelledValue((), float(lease.seconds_left() > 0))],
        ),
    )
