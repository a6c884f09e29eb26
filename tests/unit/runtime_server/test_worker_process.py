"""Which share of the pod's limits a worker has, and how its process ends."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.settings import settings_from_environment
from serinus_runtime.server.worker_process import EXIT_FAILED, forked, settings_of_worker, share
from tests.support.model_servers import environment


@given(st.integers(1, 16), st.integers(16, 100_000))
def test_shares_add_up_and_differ_by_one_at_most(workers: int, whole: int) -> None:
    shares = [share(whole, number, workers) for number in range(workers)]

    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1


def test_a_worker_has_its_share_and_a_name_of_its_own(two_classes: Packaged, store: Path) -> None:
    variables = environment(
        two_classes, store, WORKERS="2", POD_NAME="delay-abc", AB_TEST="delay-ab-test"
    )
    settings = settings_from_environment(variables)

    workers = [settings_of_worker(settings, number) for number in range(2)]

    assert [one.pod_name for one in workers] == ["delay-abc-0", "delay-abc-1"]
    for name in ("max_concurrency", "max_connections", "max_held_bytes", "prediction_log_bytes"):
        assert sum(getattr(one, name) for one in workers) == getattr(settings, name)
    assert [one.ab_test for one in workers] == [None, None]
    given_back = replace(workers[0], pod_name=settings.pod_name, ab_test=settings.ab_test)
    assert given_back.feedback_memory_bytes == settings.feedback_memory_bytes


def fails() -> int:
    raise RuntimeError("on purpose")


def is_told_to_end() -> int:
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("work", "code"), [(lambda: 7, 7), (fails, EXIT_FAILED), (is_told_to_end, 0)]
)
def test_a_process_ends_with_what_its_work_says(work: "object", code: int) -> None:
    _, status = os.waitpid(forked(work), 0)  # type: ignore[arg-type]

    assert os.waitstatus_to_exitcode(status) == code
