"""Kinds that a cluster may have or lack."""

import asyncio

import pytest

from serinus.cluster.errors import Transient
from serinus.cluster.optional_kinds import KindsChanged, OptionalKinds
from serinus.cluster.resources import HTTP_ROUTE, OBSERVED, Resource
from tests.support.clock import run_in_virtual_time


class Server:
    """Serves HTTPRoutes or not, or doesn't answer."""

    def __init__(self, *answers: bool | None) -> None:
        self.answers = list(answers)

    async def serves(self, resource: Resource) -> bool:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise Transient("GET", code=0, reason="NoConnection", message="refused")
        return answer


def test_what_the_cluster_has_is_observed_besides() -> None:
    kinds = OptionalKinds(Server(True))

    asyncio.run(kinds.find())

    assert kinds.knows_routes()
    assert kinds.observed() == (*OBSERVED, HTTP_ROUTE)


def test_what_it_lacks_is_not() -> None:
    kinds = OptionalKinds(Server(False))

    asyncio.run(kinds.find())

    assert not kinds.knows_routes()
    assert tuple(kinds.observed()) == OBSERVED


def test_a_server_that_does_not_answer_is_asked_again() -> None:
    kinds = OptionalKinds(Server(None, None, True))

    run_in_virtual_time(kinds.find())

    assert kinds.knows_routes()


@pytest.mark.parametrize("first", [True, False])
def test_a_kind_that_comes_or_goes_ends_the_process(first: bool) -> None:
    kinds = OptionalKinds(Server(first, first, None, not first))

    async def lives() -> None:
        await kinds.find()
        await kinds.watch()

    with pytest.raises(KindsChanged, match=r"httproutes"):
        run_in_virtual_time(lives())
