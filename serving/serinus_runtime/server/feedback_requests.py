"""`POST /feedback`: labels for a prediction, by its id, counted by the pod that is its home."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any, Protocol

import orjson

from serinus_runtime.artifact.encoding import shown
from serinus_runtime.artifact.model import Model
from serinus_runtime.server.answer import Answer, of_json, refusal
from serinus_runtime.server.errors import BadRequest, NotJudgedHere, Overloaded, RequestError
from serinus_runtime.server.feedback import FeedbackLedger, judged_labels
from serinus_runtime.server.feedback_home import homes
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.peers import (
    ACCEPTED,
    SEAL_HEADER,
    NoAnswerError,
    Peers,
    UnreachableError,
)
from serinus_runtime.server.prediction_id import Prediction, PredictionIdError, PredictionIds
from serinus_runtime.server.request_body import Scope, json_object

BODY_BYTES_MAX = 64 << 10
"""An id and at most 16 labels."""

ON_THEIR_WAY_MAX = 64
"""Requests that wait at once for what another pod says."""

_SEAL = SEAL_HEADER.encode()
_ACCEPTED = ((_SEAL, ACCEPTED.encode()),)


class CountsLabels(Protocol):
    """What labels need of a process that counts them."""

    @property
    def model(self) -> Model:
        """What predicted."""

    @property
    def ids(self) -> PredictionIds:
        """Opens ids."""

    @property
    def ledger(self) -> FeedbackLedger:
        """Where they count."""

    @property
    def peers(self) -> Peers | None:
        """The other pods."""

    @property
    def metrics(self) -> Metrics:
        """The cells."""


class FeedbackRequests:
    """Counts labels, or has them counted."""

    def __init__(self, serving: CountsLabels) -> None:
        self._serving = serving
        self._on_their_way = 0

    async def answered(self, scope: Scope, body: bytes) -> Answer:
        """What became of the labels; raises `RequestError`."""
        if self._is_from_a_pod(scope, body):
            return self._answer_to_a_pod(scope, body)
        document = json_object(body)
        prediction, labels = self._prediction(document), _labels(document)
        if self._serving.peers is None:
            return self._counted(prediction, labels)
        return await self._answer_of_home(self._serving.peers, prediction, labels, body)

    def _is_from_a_pod(self, scope: Scope, body: bytes) -> bool:
        peers = self._serving.peers
        if peers is None:
            return False
        seals = [value for name, value in scope["headers"] if name == _SEAL]
        return bool(seals) and peers.vouches(body, seals[0])

    def _answer_to_a_pod(self, scope: Scope, body: bytes) -> Answer:
        try:
            document = json_object(body)
            answer = self._counted(self._prediction(document), _labels(document))
        except NotJudgedHere as error:
            return refusal(error, scope["headers"])  # as nobody: the next is asked
        except RequestError as error:
            answer = refusal(error, scope["headers"])
        return replace(answer, headers=answer.headers + _ACCEPTED)

    async def _answer_of_home(
        self, peers: Peers, prediction: Prediction, labels: list[Any], body: bytes
    ) -> Answer:
        """What the id's home says: the first pod that is there and has a model that can judge.

        Raises `NotJudgedHere` where there is none.
        """
        refused: NotJudgedHere | None = None
        for address in homes(prediction.unique, await peers.addresses()):
            if address != peers.own:
                answer = await self._asked(address, body)
                if answer is not None:
                    return answer
                continue
            try:
                return self._counted(prediction, labels)
            except NotJudgedHere as error:
                refused = error
        assert refused is not None  # this pod is among them
        raise refused

    async def _asked(self, address: str, body: bytes) -> Answer | None:
        """What a pod says; None where it isn't there, or isn't a pod of ours."""
        if self._on_their_way >= ON_THEIR_WAY_MAX:
            raise Overloaded("many labels are on their way to other pods; try again in 1 s")
        peers = self._serving.peers
        assert peers is not None
        self._on_their_way += 1
        try:
            said = await peers.ask(address, body)
        except UnreachableError:
            return None
        except NoAnswerError as error:
            raise Overloaded(
                "the pod that counts these labels didn't answer; send them again, they count once"
            ) from error
        finally:
            self._on_their_way -= 1
        if said.status == Overloaded.status and said.accepted:
            raise Overloaded(str(orjson.loads(said.body)["error"]))
        if said.status == 200 or said.accepted:
            self._serving.metrics.forwarded += 1
            return Answer(said.status, said.body)
        return None

    def _prediction(self, document: dict[str, Any]) -> Prediction:
        identity = document.get("id")
        if type(identity) is not str:
            raise BadRequest(f"`id`: expected the id of a prediction, got {shown(identity)}")
        try:
            return self._serving.ids.opened(identity)
        except PredictionIdError as error:
            raise BadRequest(f"`id`: {error}") from error

    def _counted(self, prediction: Prediction, labels: list[Any]) -> Answer:
        serving = self._serving
        judged = judged_labels(prediction, labels, serving.model, serving.ledger)
        receipt = serving.ledger.count(prediction, judged, time.time_ns() // 1_000_000)
        return of_json(200, asdict(receipt))


def _labels(document: dict[str, Any]) -> list[Any]:
    labels = document.get("labels")
    if type(labels) is not list:
        raise BadRequest(f"`labels`: expected a list, got {shown(labels)}")
    return labels
