"""Real pods, each with an address of its own: a label sent to all of them counts once."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.flight_requests import ROW
from tests.support.model_servers import ServerProcess, free_port, metric, server_process

pytestmark = pytest.mark.slow

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@pytest.fixture(params=["1", "2"])
def pods(
    two_classes: Packaged, store: Path, request: pytest.FixtureRequest
) -> Iterator[dict[str, ServerProcess]]:
    """By address; of one worker each, and of two."""
    port = str(free_port())
    with ExitStack() as stack:
        yield {
            address: stack.enter_context(
                server_process(
                    two_classes,
                    store,
                    HOST=address,
                    POD_IP=address,
                    PORT=port,
                    PEERS=",".join(ADDRESSES),
                    DRAIN_SECONDS="0",
                    WORKERS=request.param,
                )
            )
            for address in ADDRESSES
        }


def url(address: str, pods: dict[str, ServerProcess], path: str) -> str:
    return f"http://{address}:{pods[address].port}{path}"


def told(address: str, pods: dict[str, ServerProcess], identity: str) -> dict[str, int]:
    labels = {"id": identity, "labels": [True]}
    answer = httpx.post(url(address, pods, "/feedback"), json=labels)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, int] = answer.json()
    return receipt


def counted_by(address: str, pods: dict[str, ServerProcess]) -> float:
    text = httpx.get(url(address, pods, "/metrics")).text
    return sum(
        metric(text, "serinus_labels_total", outcome=outcome) or 0 for outcome in ("right", "wrong")
    )


def test_a_label_counts_once_on_the_pod_that_predicted_and_once_more_only_after_it(
    pods: dict[str, ServerProcess],
) -> None:
    maker, *others = ADDRESSES[::-1]
    answer = httpx.post(url(maker, pods, "/predict"), json={"rows": [ROW]})
    identity = answer.json()["id"]

    receipts = [told(address, pods, identity) for address in (*others, maker, *others)]
    by_maker = counted_by(maker, pods)
    pods[maker].told_to_end()
    pods[maker].exit_code()
    after = [told(address, pods, identity) for address in others * 2]

    assert [receipt["counted"] for receipt in receipts] == [1, 0, 0, 0, 0]
    assert by_maker == 1
    assert sorted(receipt["counted"] for receipt in after) == [0, 0, 0, 1]
    assert sum(counted_by(address, pods) for address in others) == 1
