"""Work at a pace, and a last time at the end."""

import threading

from serinus_runtime.paced_thread import PacedThread

SECONDS = 10.0


def test_it_works_until_it_ends_and_then_once_more() -> None:
    worked, ended = threading.Event(), threading.Event()
    thread = PacedThread("paced", 0.001, worked.set, ended.set)
    thread.start()

    assert worked.wait(SECONDS)
    assert not ended.is_set()

    thread.close(SECONDS)
    assert ended.is_set()


def test_one_that_takes_too_long_is_left_alone() -> None:
    may_end = threading.Event()
    thread = PacedThread("paced", SECONDS, lambda: None, lambda: may_end.wait(SECONDS) and None)
    thread.start()

    thread.close(0.001)  # comes back although the last work isn't done
    may_end.set()
    thread.close(SECONDS)


def test_it_works_at_once_when_it_is_woken() -> None:
    worked = threading.Event()
    thread = PacedThread("paced", 3600.0, worked.set, lambda: None)
    thread.start()

    thread.wake()

    assert worked.wait(SECONDS)
    thread.close(SECONDS)


def test_one_that_never_began_can_be_closed() -> None:
    PacedThread("paced", SECONDS, lambda: None, lambda: None).close(SECONDS)
