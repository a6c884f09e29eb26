from prometheus_client.parser import text_string_to_metric_families

from serinus.cluster.audit import Found
from serinus.metrics.exposition import GaugeFamily, LabelledValue, OperatorMetrics

LABELS_ALLOWED = {
    "kind",
    "result",
    "operation",
    "code",
    "resource",
    "mistake",
    "version",
    "priority",
    "sink",
    "outcome",
    "le",
}


def exposed() -> OperatorMetrics:
    metrics = OperatorMetrics()
    metrics.passed("Deployment", "done", 0.02)
    metrics.requested("apply", "Service", 200)
    metrics.last_event.labels("pods").set(1.0)
    metrics.audited(Found(ghosts=2))
    metrics.noticed("ops", "sent")
    depth = GaugeFamily(
        "serinus_workqueue_depth", "Waiting.", ("priority",), [LabelledValue(("low",), 3)]
    )
    held = GaugeFamily("serinus_lease_held", "1: holds it.", (), [LabelledValue((), 1)])
    metrics.read_when_scraped(lambda: [depth, held])
    return metrics


def test_every_metric_has_a_name_a_help_and_closed_labels() -> None:
    families = list(text_string_to_metric_families(exposed().text().decode()))

    assert families
    for family in families:
        assert family.name.startswith("serinus_")
        assert family.documentation.endswith(".")
        assert all(set(sample.labels) <= LABELS_ALLOWED for sample in family.samples)


def test_figures_are_those_that_were_told() -> None:
    text = exposed().text().decode()

    assert 'serinus_reconcile_duration_seconds_count{kind="Deployment",result="done"} 1.0' in text
    assert "serinus_apply_requests_total{" in text
    assert 'serinus_workqueue_depth{priority="low"} 3.0' in text
    assert 'serinus_watch_missed_objects_total{mistake="ghost"} 2.0' in text
    assert 'serinus_notices_total{outcome="sent",sink="ops"} 1.0' in text
    assert "serinus_lease_held 1.0" in text
    assert "_created" not in text


def test_two_processes_in_one_test_dont_share_counts() -> None:
    exposed()

    assert "Deployment" not in OperatorMetrics().text().decode()
