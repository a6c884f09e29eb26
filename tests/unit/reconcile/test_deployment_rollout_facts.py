"""From what was seen to the facts that rules look at."""

from datetime import UTC, datetime, timedelta

import pytest

from serinus.api.conditions import format_micro_time
from serinus.api.deployment_status import CanaryStatus
from serinus.reconcile.deployment_rollout_facts import step_seconds, wanted_canary_replicas

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def canary(**changes: object) -> CanaryStatus:
    started = format_micro_time(NOW)
    return CanaryStatus(
        revision="c0ffee0000", model_version="v2", started_at=started, step_started_at=started
    ).model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 100.0),
        ({"frozen_seconds": 30}, 70.0),
        ({"frozen_since": format_micro_time(NOW + timedelta(seconds=40))}, 40.0),
        (
            {"frozen_seconds": 30, "frozen_since": format_micro_time(NOW + timedelta(seconds=90))},
            60,
        ),
        ({"frozen_seconds": 1000}, 0.0),
    ],
)
def test_a_step_is_as_old_as_its_clock_ran(changes: dict[str, object], seconds: float) -> None:
    assert step_seconds(canary(**changes), NOW + timedelta(seconds=100)) == pytest.approx(seconds)


def test_a_canary_has_the_pods_of_its_weight_and_all_when_it_is_promoted() -> None:
    assert wanted_canary_replicas(4, canary(weight=20)) == 1
    assert wanted_canary_replicas(4, canary(weight=20, promoting=True)) == 4
