"""Each request is told to all that listen, and to nobody where nobody does."""

import time

from serinus_runtime.server.answer import Answer
from serinus_runtime.server.request_listeners import AnsweredRequest, listener_of


class Listener:
    def __init__(self) -> None:
        self.told: list[AnsweredRequest] = []

    def offer(self, request: AnsweredRequest) -> None:
        self.told.append(request)


def test_both_are_told_the_same() -> None:
    first, second = Listener(), Listener()
    both = listener_of(first, second)
    request = AnsweredRequest("POST", "/predict", [], None, time.monotonic(), Answer(200, b""))
    assert both is not None
    both.offer(request)

    assert first.told == second.told == [request]


def test_one_is_told_without_a_detour() -> None:
    only = Listener()

    assert listener_of(only, None) is only
    assert listener_of(None, only) is only
    assert listener_of(None, None) is None
