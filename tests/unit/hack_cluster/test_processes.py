"""Only what we started is ended, and what has changed starts anew."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from native_cluster import layout, processes
from native_cluster.processes import Daemon, Record
from native_cluster.terminal import ClusterError, report

pytestmark = pytest.mark.slow

WAITS = "import time, sys; print('started', flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "PIDS", tmp_path / "pids")
    monkeypatch.setattr(layout, "LOGS", tmp_path / "logs")


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings"
    path.write_text("as they are")
    return path


@pytest.fixture
def daemon(settings: Path) -> Iterator[Daemon]:
    sleeper = Daemon("sleeper", [sys.executable, "-c", WAITS], lambda: None, reads=[settings])
    yield sleeper
    processes.stop(sleeper)


def pid_of(daemon: Daemon) -> int | None:
    record = processes.running(daemon)
    return record.process.pid if record else None


def test_start_time_is_found_behind_a_name_with_blanks_and_brackets() -> None:
    after_name = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"

    assert processes.parse_stat(f"42 (a) b (c)) {after_name}") == ("S", 4711)


def test_a_daemon_is_started_once_and_found_again(daemon: Daemon) -> None:
    assert processes.begin(daemon)
    processes.wait(daemon)
    first = pid_of(daemon)

    assert first is not None
    assert not processes.begin(daemon)
    assert pid_of(daemon) == first


def test_a_daemon_whose_settings_changed_is_started_anew(daemon: Daemon, settings: Path) -> None:
    processes.begin(daemon)
    first = pid_of(daemon)
    settings.write_text("other ones")

    assert processes.begin(daemon)
    assert pid_of(daemon) not in (None, first)


def test_a_daemon_that_died_is_started_anew(daemon: Daemon) -> None:
    processes.begin(daemon)
    record = processes.running(daemon)
    assert record is not None
    processes.end([record.process])

    assert processes.problem(daemon) == "isn't running"
    assert processes.begin(daemon)
    assert processes.problem(daemon) is None


def test_a_daemon_that_is_ill_is_started_anew(daemon: Daemon) -> None:
    processes.begin(daemon)
    first = pid_of(daemon)
    ill = replace(daemon, check=lambda: "answers 500")

    assert processes.begin(ill)
    assert pid_of(ill) not in (None, first)


def test_a_stopped_daemon_is_gone(daemon: Daemon) -> None:
    processes.begin(daemon)
    pid = pid_of(daemon)
    assert pid is not None

    processes.stop(daemon)

    assert processes.identify(pid) is None
    assert not daemon.record.exists()


@pytest.mark.parametrize("changed", [{"start_ticks": 1}, {"boot_id": "another life"}])
def test_a_pid_that_was_given_to_another_process_is_left_alone(
    daemon: Daemon, changed: dict[str, object]
) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE) as stranger:
        try:
            here = processes.identify(stranger.pid)
            assert here is not None
            daemon.record.parent.mkdir(parents=True)
            processes._remember(daemon, Record(replace(here, **changed), daemon.digest()))  # type: ignore[arg-type]

            processes.stop(daemon)

            assert stranger.poll() is None
            assert processes.running(daemon) is None
        finally:
            stranger.terminate()


def test_a_daemon_that_ends_while_it_starts_is_named_with_its_last_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = (
        "import time; print(*range(50), sep='\\n'); print('port 6443 is in use'); time.sleep(.2)"
    )
    dies = Daemon("kube-apiserver", [sys.executable, "-c", script], lambda: "no answer")
    processes.begin(dies)

    with pytest.raises(ClusterError) as caught:
        processes.wait(dies)
    report(caught.value)

    said = capsys.readouterr().err.splitlines()
    assert said[0] == "error: kube-apiserver: ended while it started"
    assert said[-1] == "port 6443 is in use"
    assert len(said) == 2 + 20


def test_a_daemon_that_isn_t_well_in_time_says_what_is_wrong(daemon: Daemon) -> None:
    slow = replace(daemon, check=lambda: "answers 503", start_timeout_seconds=0.3)
    processes.begin(slow)

    with pytest.raises(ClusterError, match="sleeper: not well within 0 s: answers 503"):
        processes.wait(slow)


def test_processes_are_found_by_an_argument_as_a_whole(daemon: Daemon) -> None:
    processes.begin(daemon)

    found = {process.pid for process in processes.with_argument(WAITS)}

    assert pid_of(daemon) in found
    assert os.getpid() not in found
    assert not processes.with_argument(WAITS[:-1])
