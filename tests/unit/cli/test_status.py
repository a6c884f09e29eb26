import json

import pytest

from serinus.api.deployment_status import DeploymentStatus, RecordStatus
from serinus.cli.errors import CommandError
from tests.support.command_line import (
    IN_CANARY,
    ROLLED_BACK,
    SERVING,
    FakeClock,
    FakeCluster,
    commanded,
    condition,
    deployment,
    feature_set,
    training_job,
)

PAUSED = IN_CANARY.model_copy(update={"phase": "Paused"})


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("serves", SERVING, 0),
        ("rolled back", ROLLED_BACK, 1),
        ("in a canary", IN_CANARY, 2),
        ("waits for a person", PAUSED, 2),
        ("not seen by the operator", DeploymentStatus(), 2),
    ],
)
def test_the_exit_code_tells_how_it_is(what: str, status: DeploymentStatus, code: int) -> None:
    found, _ = commanded("status flight-delay", FakeCluster([deployment(status)]))

    assert found == code, what


def test_a_status_of_an_older_spec_settles_nothing() -> None:
    code, _ = commanded("status flight-delay", FakeCluster([deployment(SERVING, generation=2)]))

    assert code == 2


def test_a_stalled_object_is_bad_even_if_what_it_made_is_good() -> None:
    stalled = feature_set(
        conditions=[
            condition("Ready", "True", "Succeeded"),
            condition("Stalled", "True", "InvalidSpec", "spec.sources[0]: no such file"),
        ]
    )

    code, text = commanded("status fset flights", FakeCluster([stalled]))

    assert code == 1
    assert text.startswith("FeatureSet flights: Stalled=InvalidSpec")


def test_a_failed_training_job_is_bad() -> None:
    failed = training_job("boosted", phase="Failed", conditions=[])

    assert commanded("status tjob/boosted", FakeCluster([failed]))[0] == 1


def test_waiting_ends_when_it_is_decided() -> None:
    cluster = FakeCluster([deployment(IN_CANARY)])

    def happens(seconds: float) -> None:
        if seconds >= 5:
            cluster.objects[0] = deployment(SERVING)

    clock = FakeClock(on_wait=happens)
    code, text = commanded("status flight-delay --watch", cluster, clock)

    assert (code, clock.seconds) == (0, 5)
    assert [line.split()[2] for line in text.splitlines()] == ["Progressing", "Healthy"]


def test_waiting_ends_when_the_time_is_over() -> None:
    clock = FakeClock()
    cluster = FakeCluster([deployment(IN_CANARY)])

    code, _ = commanded("status flight-delay --timeout 1m30s", cluster, clock)

    assert (code, clock.seconds) == (2, 90)


def test_a_timeout_that_is_no_duration_is_told() -> None:
    with pytest.raises(CommandError, match="--timeout: `soon` is not a duration"):
        commanded("status flight-delay --timeout soon", FakeCluster([deployment(SERVING)]))


def test_another_program_gets_words() -> None:
    _, text = commanded("status flight-delay -o json", FakeCluster([deployment(SERVING)]))

    assert json.loads(text)["health"] == "good"


def test_yaml_says_the_same() -> None:
    _, text = commanded("status flight-delay -o yaml", FakeCluster([deployment(SERVING)]))

    assert "health: good\n" in text


def test_the_number_of_the_newest_record_is_shown_where_there_is_one() -> None:
    recorded = SERVING.model_copy(update={"record": RecordStatus(number=7)})

    _, text = commanded("status flight-delay", FakeCluster([deployment(recorded)]))
    _, without = commanded("status flight-delay", FakeCluster([deployment(SERVING)]))

    assert text.rstrip().endswith("serves (record 7)")
    assert "record" not in without
