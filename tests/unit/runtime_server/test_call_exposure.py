"""Calls over gRPC take part in an A/B test as requests over HTTP do."""

import asyncio
from pathlib import Path

import orjson
import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.answer import Answer, of_json
from serinus_runtime.server.call_exposure import CALL_NOTES, CallNotes, Refused
from serinus_runtime.server.errors import BadRequest, RequestError
from serinus_runtime.server.inference_service import InferenceService
from serinus_runtime.server.revision_connection import NotReachedError, RevisionAnswer
from tests.support.ab_tests import CANARY, OF_CANARY, OF_STABLE, Elsewhere, counts
from tests.support.flight_requests import INFER, ROW, tensors
from tests.support.inference_calls import raw, typed
from tests.support.model_servers import Client, made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


@pytest.fixture
def exposed(two_classes: Packaged, store: Path, elsewhere: Elsewhere) -> Client:
    """A stable pod in which the test runs; the canary answers as stable would."""
    serving = made(two_classes, store)
    answer = Client(serving).post(INFER, {"inputs": tensors([ROW])})
    elsewhere.says = [RevisionAnswer(Answer(200, answer.content), CANARY)] * 2
    return elsewhere.client(made(two_classes, store))


def called(
    client: Client, unit: bytes | None, message: wire.ModelInferRequest
) -> tuple[wire.ModelInferResponse | RequestError, CallNotes]:
    """What a call with that unit in its metadata gets, and its notes."""
    notes = CallNotes([(b"x-request-id", b"7"), *([(b"x-user-id", unit)] if unit else [])])

    async def call() -> bytes:
        CALL_NOTES.set(notes)
        method = InferenceService(client.serving).methods["ModelInfer"]
        return await method(message.SerializeToString())  # type: ignore[no-any-return]

    try:
        return wire.ModelInferResponse.FromString(asyncio.run(call())), notes
    except RequestError as error:
        return error, notes


@pytest.mark.parametrize("form", [typed, raw])
def test_the_canarys_units_get_its_answer_in_the_calls_own_form(
    exposed: Client, elsewhere: Elsewhere, form: object
) -> None:
    message = typed([ROW]) if form is typed else raw([ROW])
    answer, notes = called(exposed, OF_CANARY, message)
    own, _ = called(exposed, None, message)

    assert isinstance(answer, wire.ModelInferResponse)
    assert isinstance(own, wire.ModelInferResponse)
    assert notes.revision == CANARY
    assert (list(answer.outputs), answer.raw_output_contents) == (
        list(own.outputs),
        own.raw_output_contents,
    )
    ((path, body, headers),) = elsewhere.asked
    assert path == INFER
    assert orjson.loads(body)["inputs"] == tensors([ROW])
    assert headers == ((b"x-request-id", b"7"),)
    assert counts(exposed, "serinus_requests_total") == {"exposed": 0, "others": 1}


def test_stables_units_are_counted_as_exposed(exposed: Client, elsewhere: Elsewhere) -> None:
    for unit in (OF_STABLE, OF_STABLE, None):
        called(exposed, unit, typed([ROW]))
    called(exposed, OF_STABLE, typed([ROW | {"distance": -1.0}]))

    assert elsewhere.asked == []
    assert counts(exposed, "serinus_requests_total", code="200") == {"exposed": 2, "others": 1}
    assert counts(exposed, "serinus_requests_total", code="400") == {"exposed": 1, "others": 0}
    assert counts(exposed, "serinus_predictions_total") == {"exposed": 2, "others": 1}
    assert counts(exposed, "serinus_exposures_total") == {"exposed": 0, "others": 1}


def test_who_names_a_version_or_sends_what_json_lacks_is_stables(
    exposed: Client, elsewhere: Elsewhere
) -> None:
    version = exposed.serving.model.version
    answer, _ = called(exposed, OF_CANARY, typed([ROW], model_version=version))
    refused, _ = called(exposed, OF_CANARY, typed([ROW | {"delay": float("inf")}]))

    assert isinstance(answer, wire.ModelInferResponse)
    assert isinstance(refused, BadRequest)
    assert elsewhere.asked == []


def test_the_canarys_refusal_is_the_answer_and_its_own_to_count(
    exposed: Client, elsewhere: Elsewhere
) -> None:
    elsewhere.says = [RevisionAnswer(of_json(413, {"error": "too many rows"}), CANARY)]

    refused, notes = called(exposed, OF_CANARY, typed([ROW]))

    assert isinstance(refused, Refused)
    assert (refused.status, refused.message, notes.revision) == (413, "too many rows", CANARY)
    assert counts(exposed, "serinus_requests_total") == {"exposed": 0, "others": 0}


def test_where_the_canary_is_gone_stable_answers(exposed: Client, elsewhere: Elsewhere) -> None:
    elsewhere.says = [NotReachedError("gone")]

    answer, notes = called(exposed, OF_CANARY, typed([ROW]))

    assert isinstance(answer, wire.ModelInferResponse)
    assert notes.revision is None
    assert counts(exposed, "serinus_requests_total", code="200") == {"exposed": 0, "others": 1}
