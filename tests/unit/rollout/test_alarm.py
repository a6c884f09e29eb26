"""What only alarms is told, and nothing else is."""

import pytest

from serinus.api.enums import Reason
from serinus.api.verdicts import MetricVerdict, Verdict
from serinus.rollout.alarm import metric_alarm


def test_harm_in_what_only_alarms_is_told_with_its_numbers() -> None:
    found = metric_alarm(MetricVerdict("slice", Verdict.FAILED, "slice: 9 of 10 bad", gate=False))

    assert found is not None
    assert found.reason is Reason.METRIC_ALARM
    assert found.message.startswith("slice: 9 of 10 bad; ")


@pytest.mark.parametrize(
    "verdict",
    [
        MetricVerdict("errors", Verdict.FAILED, "a gate rolls back instead"),
        MetricVerdict("queue", Verdict.FAILED, "a dry run", gate=False, dry_run=True),
        MetricVerdict("slice", Verdict.INCONCLUSIVE, "no harm is shown", gate=False),
        MetricVerdict("slice", Verdict.ERROR, "can't be measured", gate=False),
    ],
    ids=lambda verdict: verdict.sentence,
)
def test_everything_else_is_no_alarm(verdict: MetricVerdict) -> None:
    assert metric_alarm(verdict) is None
