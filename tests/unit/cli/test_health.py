import pytest

from serinus.cli.health import Health, health, status_word
from serinus.cli.reading import resource_of
from tests.support.command_line import READY, condition, feature_set

RECONCILING = condition("Reconciling", "True", "Progressing")


@pytest.mark.parametrize(
    ("status", "found", "word"),
    [
        ({}, Health.GOOD, "Ready"),
        ({"phase": None}, Health.GOOD, "Ready"),
        ({"phase": None, "conditions": []}, Health.ON_ITS_WAY, "Unseen"),
        (
            {"phase": None, "conditions": [condition("Ready", "False", "RunFailed")]},
            Health.ON_ITS_WAY,
            "NotReady",
        ),
        ({"phase": "Running", "conditions": [*READY, RECONCILING]}, Health.ON_ITS_WAY, "Running"),
        ({"phase": "Failed"}, Health.BAD, "Failed"),
        ({"observedGeneration": 0}, Health.ON_ITS_WAY, "Ready"),
    ],
)
def test_health_follows_the_conditions(status: dict[str, object], found: Health, word: str) -> None:
    resource = resource_of(feature_set(**status))

    assert (health(resource), status_word(resource)) == (found, word)
