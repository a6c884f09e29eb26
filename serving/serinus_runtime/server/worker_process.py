"""What makes a process one of several workers: its place in the pod, and how it is started."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from serinus_runtime.server.pod_books import PodBooks
from serinus_runtime.server.settings import Settings
from serinus_runtime.server.worker_cells import PodCells, WorkerCells

logger = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_REFUSED = 2
"""What can't be served: starting again wouldn't help."""


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """Which of the pod's workers a process is, and what it shares with them.

    `lifeline` is a file that comes to its end when the supervisor does.
    """

    number: int
    pod: PodCells
    listening: socket.socket
    books: PodBooks
    lifeline: int

    @property
    def cells(self) -> WorkerCells:
        """The worker's own cells."""
        return self.pod.workers[self.number]

    @property
    def step(self) -> int:
        """How far apart a worker's ids are, so that those of the others fit in between."""
        return 1 << (len(self.pod.workers) - 1).bit_length()


def settings_of_worker(settings: Settings, number: int) -> Settings:
    """A worker's share of what the pod may take, under a name of its own.

    There is no A/B test: its units would have to be told apart by all workers together.
    """
    workers = settings.workers
    return replace(
        settings,
        pod_name=f"{settings.pod_name or 'pod'}-{number}",
        max_concurrency=share(settings.max_concurrency, number, workers),
        max_connections=share(settings.max_connections, number, workers),
        max_held_bytes=share(settings.max_held_bytes, number, workers),
        prediction_log_bytes=share(settings.prediction_log_bytes, number, workers),
        ab_test=None,
    )


def share(whole: int, number: int, workers: int) -> int:
    """The part of a whole that belongs to the worker with that number; at least 1."""
    return max(1, whole // workers + (number < whole % workers))


def forked(work: Callable[[], int]) -> int:
    """Start a process that does `work` and ends with its exit code; the process id.

    Call it while this process has one thread: others, and the locks that they hold, don't come
    along.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = EXIT_FAILED
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        code = work()
    except SystemExit:
        code = 0  # told to end before there was anything to bring to its end
    except BaseException:
        logger.exception("process failed")
    finally:
        sys.stdout.flush()
        os._exit(code)


def keep_for_forks() -> None:
    """Let what is there be shared: a collection would write to each object and so copy it."""
    gc.collect()
    gc.freeze()
