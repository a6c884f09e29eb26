"""While packages are installed no service starts, and the machine's own policy is kept."""

from pathlib import Path

import pytest

from native_cluster import debian

OWN = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "_SERVICE_POLICY", path)
    return path


def test_no_service_starts_meanwhile_and_the_policy_is_gone_afterwards(policy: Path) -> None:
    with debian._services_stay_off():
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111

    assert not policy.exists()


def test_a_policy_of_the_machine_is_left_alone(policy: Path) -> None:
    policy.write_text(OWN)
    with debian._services_stay_off():
        assert policy.read_text() == OWN

    assert policy.read_text() == OWN


def test_a_policy_that_a_killed_run_left_behind_is_taken_away(policy: Path) -> None:
    policy.write_text(debian._SERVICES_STAY_OFF)
    with debian._services_stay_off():
        pass

    assert not policy.exists()
