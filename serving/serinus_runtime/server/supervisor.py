"""The first process of a pod with several workers: it starts them, starts them again, ends last.

    supervisor ──fork──► bookkeeper   labels, sums for a scrape
               ──fork──► worker 0..   one event loop each, as in a pod with one process

It has one thread, no event loop, and never imports more than it has when it begins, so a fork
of it is a worker that is ready within milliseconds, with the model's memory shared.

Each worker accepts from a socket of its own; the kernel spreads connections over them by a hash
(SO_REUSEPORT). One socket for all was measured against it: of 16 connections made at once one
worker of two often got all, since whoever wakes first takes them. The sockets are the supervisor's:
connections that wait in one whose worker has ended are answered by its successor.

What stands in the way is told by exit codes: a worker that can't come up ends the pod.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from serinus_runtime.server.drain import cpu_seconds
from serinus_runtime.server.pod_books import PodBooks
from serinus_runtime.server.settings import Settings, SettingsError
from serinus_runtime.server.worker_cells import PodCells, State, Word
from serinus_runtime.server.worker_lives import Place, is_hung
from serinus_runtime.server.worker_metrics import pod_log_counts, pod_requests, pod_span_counts
from serinus_runtime.server.worker_process import (
    EXIT_FAILED,
    EXIT_REFUSED,
    WorkerPlace,
    forked,
    keep_for_forks,
)

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
_LOOK_SECONDS = 1.0
_LOOK_CLOSELY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Programs:
    """What the processes do; each returns its exit code."""

    worker: Callable[[WorkerPlace], int]
    bookkeeper: Callable[[PodCells, socket.socket, int], int]


@dataclass(slots=True)
class Supervisor:
    """Watches over the processes of one pod."""

    cells: PodCells
    programs: Programs
    sockets: list[socket.socket]
    books: PodBooks
    books_socket: socket.socket
    ports: Mapping[str, int]
    """As they are told once all are ready."""
    _lifeline: tuple[int, int] = field(default_factory=os.pipe)
    _places: dict[int, Place] = field(default_factory=dict)
    _workers: dict[int, int] = field(default_factory=dict)
    """Process ids, and the number of the worker."""
    _bookkeeper: int = 0
    _ends: bool = False
    _exit_code: int = 0
    _told_ready: bool = False

    def run(self) -> int:
        """Until all workers have ended; the pod's exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        keep_for_forks()
        self._bookkeeper = forked(self._keep_books)
        self._places = dict.fromkeys(range(len(self.cells.workers)), Place(time.monotonic()))
        while self._workers or not self._ends:
            self._start_due(time.monotonic())
            is_calm = self._ends or self.cells.all_ready
            told = signal.sigtimedwait(
                _SIGNALS, _LOOK_SECONDS if is_calm else _LOOK_CLOSELY_SECONDS
            )
            if told is not None and told.si_signo != signal.SIGCHLD:
                self._end(told.si_signo)
            self._bury(time.monotonic())
            self._look(time.monotonic())
        self._close_books()
        return self._exit_code

    def _start_due(self, now: float) -> None:
        """Start the workers that aren't there and whose time has come."""
        running = set(self._workers.values())
        for number, place in self._places.items():
            if not self._ends and number not in running and place.started_at <= now:
                self._start(number)

    def _start(self, number: int) -> None:
        self.cells.workers[number].begin()
        read_end, _ = self._lifeline
        place = WorkerPlace(number, self.cells, self.sockets[number], self.books, read_end)
        pid = forked(lambda: self._work(place))
        self._workers[pid] = number
        logger.info("worker started", extra={"worker": number, "pid": pid})

    def _work(self, place: WorkerPlace) -> int:
        os.close(self._lifeline[1])
        self.books_socket.close()
        for number, listening in enumerate(self.sockets):
            if number != place.number:
                listening.close()
        return self.programs.worker(place)

    def _keep_books(self) -> int:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal: the supervisor ends it
        os.close(self._lifeline[1])
        for listening in self.sockets:
            listening.close()
        return self.programs.bookkeeper(self.cells, self.books_socket, self._lifeline[0])

    def _end(self, number: int) -> None:
        """Let all workers drain; told once more, end.

        From now on a socket is its worker's alone: it closes with it.
        """
        if not self._ends:
            logger.info("drain of all workers began", extra={"signal": signal.Signals(number).name})
        self._ends = True
        for listening in self.sockets:
            listening.close()
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)

    def _bury(self, now: float) -> None:
        """Look after each process that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            number = self._workers.pop(pid, None)
            if number is not None:
                self._worker_ended(number, code, now)
            elif pid == self._bookkeeper:
                self._bookkeeper = 0
                self._give_up("the process that counts labels ended", code)

    def _worker_ended(self, number: int, code: int, now: float) -> None:
        worker = self.cells.workers[number]
        worker.settle()
        if self._ends and code == 0:
            return
        self.cells.count_death()
        logger.error("worker died", extra={"worker": number, "exit_code": code})
        place = self._places[number].after_death(now)
        if code == EXIT_REFUSED:
            self._exit_code = EXIT_REFUSED
            self._give_up(f"worker {number} refused to start", code)
        elif place is None:
            self._give_up(f"worker {number} can't stay up", code)
        else:
            self._places[number] = place

    def _give_up(self, why: str, code: int) -> None:
        if self._ends:
            return
        logger.error("%s; the pod ends", why, extra={"exit_code": code})
        self._exit_code = self._exit_code or EXIT_FAILED
        self._end(signal.SIGTERM)

    def _look(self, now: float) -> None:
        """Say once that all are ready; end who never will be, or isn't any more."""
        if not self._told_ready and self.cells.all_ready:
            self._told_ready = True
            told = {"workers": len(self.cells.workers), "cpu_seconds": cpu_seconds()}
            logger.info("model server ready", extra={**self.ports, **told})
        for pid, number in self._workers.items():
            if self._is_stuck(number, now):
                logger.error("worker hangs", extra={"worker": number})
                os.kill(pid, signal.SIGKILL)

    def _is_stuck(self, number: int, now: float) -> bool:
        worker = self.cells.workers[number]
        if worker.state is State.STARTING:
            return self._places[number].is_overdue(now)
        return worker.state is State.READY and is_hung(worker.words[Word.BEAT], now)

    def _close_books(self) -> None:
        """The books are kept until nobody asks any more."""
        if self._bookkeeper:
            os.kill(self._bookkeeper, signal.SIGTERM)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._bookkeeper, 0)
        logger.info("model server ended", extra=pod_totals(self.cells))


def pod_totals(cells: PodCells) -> dict[str, Any]:
    """What the pod counted in all: its last scrape comes before its last answer."""
    return {
        "requests": {str(code): count for code, count in sorted(pod_requests(cells).items())},
        "requests_unread": cells.total(Word.UNREAD),
        "predictions": cells.total(Word.PREDICTIONS),
        "worker_deaths": cells.deaths,
        "prediction_log_rows": asdict(pod_log_counts(cells)) | {"waiting": 0},
        "trace_spans": asdict(pod_span_counts(cells)),
    }


def supervised(settings: Settings, bins: int, programs: Programs) -> int:
    """Run a pod of several workers; its exit code. Raises `SettingsError`."""
    sockets = listening_sockets(settings.host, settings.port, settings.workers)
    ports = {"port": sockets[0].getsockname()[1]}
    if settings.grpc_port is not None:
        ports["grpc_port"] = settings.grpc_port
    cells = PodCells(settings.workers, bins)
    with tempfile.TemporaryDirectory(prefix="serinus-") as folder:
        path = Path(folder) / "books"
        with socket.socket(socket.AF_UNIX) as books_socket:
            books_socket.bind(str(path))
            return Supervisor(cells, programs, sockets, PodBooks(path), books_socket, ports).run()


def listening_sockets(host: str, port: int, count: int) -> list[socket.socket]:
    """So many sockets of one port, over which the kernel spreads connections.

    Raises `SettingsError` where the port can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found: list[socket.socket] = []
    for _ in range(count):
        one = socket.socket(family)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            one.bind((host, found[0].getsockname()[1] if found else port))
        except OSError as error:
            raise SettingsError(f"SERINUS_PORT: {port} can't be had: {error.strerror}") from error
        found.append(one)
    return found
