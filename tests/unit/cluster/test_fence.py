import asyncio

import pytest

from serinus.cluster.errors import LeaseLost, Transient
from serinus.cluster.fence import FencedKube
from serinus.cluster.store import ref_of
from tests.support.clock import run_in_virtual_time
from tests.support.fake_kube import FakeKube
from tests.support.kube_contract import service


class Left:
    """A tenure that ends at a moment of the loop's time."""

    def __init__(self, until: float) -> None:
        self.until = until

    def seconds_left(self) -> float:
        return self.until - asyncio.get_running_loop().time()


def test_a_leader_writes() -> None:
    async def scenario() -> None:
        kube = FakeKube()
        made = await FencedKube(kube, Left(3)).create(service("n"))

        assert kube.objects[ref_of(made)]

    run_in_virtual_time(scenario())


WRITES = {
    "create": lambda kube, body: kube.create(body),
    "apply": lambda kube, body: kube.apply(body),
    "replace": lambda kube, body: kube.replace(body, subresource="status"),
    "delete": lambda kube, body: kube.delete(
        ref_of(body), uid=body["metadata"]["uid"], resource_version=None
    ),
}


@pytest.mark.parametrize("operation", WRITES)
def test_a_deposed_leader_sends_nothing(operation: str) -> None:
    async def scenario() -> None:
        kube = FakeKube()
        made = await kube.create(service("n"))
        kube.requests.clear()

        with pytest.raises(LeaseLost):
            await WRITES[operation](FencedKube(kube, Left(0)), made)
        assert kube.requests == []

    run_in_virtual_time(scenario())


def test_a_deposed_leader_may_read() -> None:
    async def scenario() -> None:
        kube = FakeKube()
        made = await kube.create(service("n"))

        assert await FencedKube(kube, Left(0)).get(ref_of(made)) == made

    run_in_virtual_time(scenario())


def test_a_slow_write_is_given_up_while_the_lease_still_holds() -> None:
    async def scenario() -> None:
        kube = FakeKube(latency_seconds=60)

        with pytest.raises(Transient, match="lease"):
            await FencedKube(kube, Left(2.5)).create(service("n"))
        assert asyncio.get_running_loop().time() == pytest.approx(2.5)

    run_in_virtual_time(scenario())
