"""A server that is told to end while it starts doesn't keep its pod waiting to be killed."""

import os
import signal
import time
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from tests.support import trained_models
from tests.support.model_servers import environment, logged, started

SIGTERM_BIT = 1 << (signal.SIGTERM - 1)


def catches_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & SIGTERM_BIT)


def test_told_to_end_before_it_is_ready(tmp_path: Path) -> None:
    pipeline = trained_models.fitted(
        trained_models.one_hot(), LogisticRegression(max_iter=500), classes=(False, True)
    )
    package = trained_models.packaged(pipeline, tmp_path)
    log = tmp_path / "server.log"
    process = started(log, environment(package, tmp_path))
    try:
        deadline = time.monotonic() + 10
        while not catches_sigterm(process.pid):
            assert time.monotonic() < deadline
            os.sched_yield()
        process.send_signal(signal.SIGTERM)

        assert process.wait(10) == 0
        assert all(line["message"] != "model server ready" for line in logged(log))
    finally:
        process.kill()
        process.wait()
