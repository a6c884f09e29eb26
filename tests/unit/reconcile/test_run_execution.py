"""Which change of settings makes a run that failed worth another try."""

import pytest

from serinus.api.enums import Outcome
from serinus.api.pod_settings import JobRunSettings, ResourceRequirements
from serinus.reconcile.run_execution import is_worth_another_try, settings_hash

SMALL = JobRunSettings(resources=ResourceRequirements(limits={"memory": "1Gi"}))
LARGE = JobRunSettings(resources=ResourceRequirements(limits={"memory": "8Gi"}))
SMALL_AND_SHORT_LIVED = SMALL.model_copy(update={"ttl_seconds_after_finished": 5, "suspend": False})


@pytest.mark.parametrize(
    ("outcome", "settings", "worth_it"),
    [
        (Outcome.FAILED, LARGE, True),
        (Outcome.FAILED, SMALL, False),
        (Outcome.FAILED, SMALL_AND_SHORT_LIVED, False),
        (Outcome.REJECTED, LARGE, False),
        (Outcome.SUCCEEDED, LARGE, False),
        (None, LARGE, False),
    ],
)
def test_only_a_failure_is_tried_again_and_only_with_other_means(
    outcome: Outcome | None, settings: JobRunSettings, worth_it: bool
) -> None:
    assert is_worth_another_try(outcome, settings_hash(SMALL), settings) is worth_it


def test_an_upgrade_of_the_operator_tries_no_failed_run_again() -> None:
    assert settings_hash(LARGE) == (
        "d3a8286ac58b506f5ce423f31a1ca24b542db67552fb6f3b854ab5adb6fbafe5"
    )
