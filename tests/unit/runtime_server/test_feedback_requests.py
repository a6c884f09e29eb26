"""`/feedback`: bodies that are too large, a server that fails, and labels that other pods count."""

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.feedback_requests import BODY_BYTES_MAX
from serinus_runtime.server.peers import (
    ACCEPTED,
    SEAL_HEADER,
    ForwardSeal,
    NoAnswerError,
    PeerAnswer,
    UnreachableError,
)
from tests.support.model_servers import KEY, Client
from tests.support.trained_models import flights

LABELS_OF = 3


def identity_of(client: Client, rows: int = 1) -> str:
    return str(client.post("/predict", {"rows": flights(rows, seed=2)}).json()["id"])


def test_a_body_larger_than_any_labels_is_413(client: Client) -> None:
    labels = {"id": identity_of(client), "labels": [True], "comment": "x" * BODY_BYTES_MAX}

    answer = client.post("/feedback", labels)

    assert answer.status_code == 413
    assert answer.json()["error"].startswith("the body is over the limit of 65536 bytes")


class Broken:
    """A ledger that fails."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(name)


def test_a_ledger_that_fails_is_500_as_json_without_details(client: Client) -> None:
    identity = identity_of(client)

    answer = client.changed(ledger=Broken()).post("/feedback", {"id": identity, "labels": [True]})

    assert answer.status_code == 500
    assert answer.json() == {
        "error": "the server failed on this request; its log has the traceback"
    }


# Several pods


@dataclass
class Network:
    """The pods of a Deployment, of which some may be away and some deaf."""

    pods: dict[str, Client] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def counted(self) -> float:
        """Labels counted by all pods together."""
        return sum(
            pod.metric("serinus_labels_total", outcome=outcome) or 0
            for pod in self.pods.values()
            for outcome in ("right", "wrong")
        )


@dataclass
class NetworkPeers:
    """A pod's view of the network."""

    own: str
    network: Network
    seal: ForwardSeal = field(default_factory=lambda: ForwardSeal(KEY))

    async def addresses(self) -> tuple[str, ...]:
        return tuple(self.network.pods)

    async def ask(self, address: str, body: bytes) -> PeerAnswer:
        self.network.asked.append(address)
        if address in self.network.away:
            raise UnreachableError
        if address in self.network.strangers:
            return PeerAnswer(404, b"nobody here", accepted=False)
        answer = await self.network.pods[address].asked(
            "POST", "/feedback", content=body, headers={SEAL_HEADER: self.seal.of(address, body)}
        )
        if address in self.network.deaf:
            raise NoAnswerError
        accepted = answer.headers.get(SEAL_HEADER) == ACCEPTED
        return PeerAnswer(answer.status_code, answer.content, accepted)

    def vouches(self, body: bytes, seal: bytes) -> bool:
        return self.seal.fits(self.own, body, seal)

    def close(self) -> None:
        """Nothing was started."""


@pytest.fixture
def network(client_of: Callable[..., Client], two_classes: Packaged) -> Network:
    network = Network()
    for number in range(1, 5):
        address = f"10.0.0.{number}"
        client = client_of(two_classes, POD_IP=address)
        network.pods[address] = client.changed(peers=NetworkPeers(address, network))
    return network


def labelled(pod: Client, identity: str, labels: list[Any]) -> httpx.Response:
    return pod.post("/feedback", {"id": identity, "labels": labels})


def test_a_label_sent_to_all_pods_counts_once_where_it_was_predicted(network: Network) -> None:
    maker = network.pods["10.0.0.3"]
    identity = identity_of(maker, LABELS_OF)

    answers = [labelled(pod, identity, [True] * LABELS_OF) for pod in network.pods.values()]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.json()["counted"] for answer in answers] == [LABELS_OF, 0, 0, 0]
    assert [answer.json()["repeated"] for answer in answers] == [0] + [LABELS_OF] * 3
    assert network.counted() == LABELS_OF
    assert maker.metric("serinus_labels_repeated_total") == 3 * LABELS_OF
    assert network.pods["10.0.0.1"].metric("serinus_labels_forwarded_total") == 1


def test_rows_that_different_pods_hear_of_count_once_each(network: Network) -> None:
    identities = [identity_of(pod, LABELS_OF) for pod in network.pods.values()]
    chance = random.Random(3)
    sent = [
        (pod, identity, [True if row == one else None for one in range(LABELS_OF)])
        for pod, identity, row in itertools.product(
            network.pods.values(), identities, range(LABELS_OF)
        )
    ]
    chance.shuffle(sent)

    for pod, identity, labels in sent:
        assert labelled(pod, identity, labels).status_code == 200

    assert network.counted() == len(identities) * LABELS_OF


def test_labels_of_a_pod_that_is_gone_count_once_among_the_others(network: Network) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    gone = network.pods.pop("10.0.0.2")

    for pod in network.pods.values():
        labelled(pod, identity, [True])

    assert network.counted() == 1
    assert gone.metric("serinus_labels_total", outcome="right") == 0


def test_where_the_home_cant_be_reached_the_next_counts(network: Network) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    network.away = {"10.0.0.2"}

    for address in ("10.0.0.1", "10.0.0.3", "10.0.0.4"):
        assert labelled(network.pods[address], identity, [True]).status_code == 200

    assert network.counted() == 1


def test_where_nobody_can_be_reached_the_label_counts_where_it_came(network: Network) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    network.away = set(network.pods) - {"10.0.0.1"}

    answer = labelled(network.pods["10.0.0.1"], identity, [True])

    assert answer.json()["counted"] == 1
    assert network.counted() == 1


def test_who_answers_under_a_pods_address_but_isnt_one_is_passed_over(network: Network) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    network.strangers = set(network.pods) - {"10.0.0.1"}

    assert labelled(network.pods["10.0.0.1"], identity, [True]).json()["counted"] == 1


def test_labels_count_with_a_pod_whose_model_knows_the_same_classes(
    network: Network, client_of: Callable[..., Client], three_classes: Packaged
) -> None:
    """All other pods have another model; none of them takes the labels of the one that is gone."""
    for address in ("10.0.0.1", "10.0.0.3", "10.0.0.5", "10.0.0.6"):
        client = client_of(three_classes, POD_IP=address, REVISION="abcdefabcd")
        network.pods[address] = client.changed(peers=NetworkPeers(address, network))
    identities = [identity_of(network.pods["10.0.0.2"]) for _ in range(8)]
    del network.pods["10.0.0.2"]

    answers = [
        labelled(pod, identity, [True]) for identity in identities for pod in network.pods.values()
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert network.counted() == len(identities)
    left = network.pods["10.0.0.4"]
    assert left.metric("serinus_labels_repeated_total") == len(answers) - len(identities)


def test_labels_that_no_pod_can_judge_are_told_so(
    network: Network, client_of: Callable[..., Client], three_classes: Packaged
) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    network.pods.clear()
    for address in ("10.0.0.5", "10.0.0.6"):
        client = client_of(three_classes, POD_IP=address)
        network.pods[address] = client.changed(peers=NetworkPeers(address, network))

    answers = [labelled(pod, identity, [True]) for pod in network.pods.values()]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "no pod of it is left" in answers[0].json()["error"]


def test_a_home_that_doesnt_answer_is_503_and_asking_again_counts_once(network: Network) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    network.deaf = {"10.0.0.2"}

    first = labelled(network.pods["10.0.0.1"], identity, [True])
    network.deaf = set()
    again = labelled(network.pods["10.0.0.1"], identity, [True])

    assert (first.status_code, first.headers["retry-after"]) == (503, "1")
    assert "send them again, they count once" in first.json()["error"]
    assert again.json()["repeated"] == 1
    assert network.counted() == 1


def test_the_homes_refusal_is_the_answer(network: Network) -> None:
    identity = identity_of(network.pods["10.0.0.2"])

    answer = labelled(network.pods["10.0.0.1"], identity, ["late"])

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("`labels[0]`: expected one of false, true")


def test_a_home_that_is_full_is_told_as_it_is(
    network: Network, client_of: Callable[..., Client], two_classes: Packaged
) -> None:
    full = client_of(two_classes, POD_IP="10.0.0.2", FEEDBACK_MEMORY_BYTES="1")
    network.pods["10.0.0.2"] = full.changed(peers=NetworkPeers("10.0.0.2", network))

    answer = labelled(network.pods["10.0.0.1"], identity_of(full), [True])

    assert answer.status_code == 503
    assert answer.json()["error"].startswith("no more labels can be kept")


def test_what_is_wrong_in_itself_troubles_no_other_pod(network: Network) -> None:
    pod = network.pods["10.0.0.1"]

    for document in ({}, {"id": "x", "labels": [True]}, {"id": identity_of(pod)}):
        assert pod.post("/feedback", document).status_code == 400

    assert network.asked == []


@pytest.mark.parametrize("seal", ["", "0" * 64, ForwardSeal(b"x" * 32).of("10.0.0.1", b"{}")])
def test_a_client_cant_claim_to_be_a_pod(network: Network, seal: str) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    body = json.dumps({"id": identity, "labels": [True]}).encode()

    answers = [
        pod.request("POST", "/feedback", content=body, headers={SEAL_HEADER: seal})
        for pod in network.pods.values()
    ]

    assert [SEAL_HEADER in answer.headers for answer in answers] == [False] * 4
    assert network.counted() == 1


def test_what_was_sent_to_one_pod_cant_be_sent_on_to_another(network: Network) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    body = json.dumps({"id": identity, "labels": [True]}).encode()
    headers = {SEAL_HEADER: ForwardSeal(KEY).of("10.0.0.2", body)}

    for pod in network.pods.values():
        pod.request("POST", "/feedback", content=body, headers=headers)

    assert network.counted() == 1


def test_a_pod_that_is_asked_asks_nobody(network: Network) -> None:
    identity = identity_of(network.pods["10.0.0.2"])
    body = json.dumps({"id": identity, "labels": [True]}).encode()
    headers = {SEAL_HEADER: ForwardSeal(KEY).of("10.0.0.1", body)}

    answer = network.pods["10.0.0.1"].request("POST", "/feedback", content=body, headers=headers)

    assert answer.headers[SEAL_HEADER] == ACCEPTED
    assert answer.json()["counted"] == 1
    assert network.asked == []
