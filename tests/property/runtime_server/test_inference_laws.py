"""Laws of the gRPC service: no message makes it fail, and it answers as HTTP does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from sklearn.tree import DecisionTreeClassifier

from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.errors import RequestError
from serinus_runtime.server.inference_service import InferenceService
from tests.support.flight_requests import INFER, ROW, TYPES, tensors
from tests.support.inference_calls import raw, typed
from tests.support.model_servers import Client, made
from tests.support.trained_models import NAMES, fitted, flights, ordinal, packaged

METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata")
FIELDS = {
    "bool_contents": some.booleans(),
    "int_contents": some.integers(-(2**31), 2**31 - 1),
    "int64_contents": some.integers(-(2**63), 2**63 - 1),
    "uint_contents": some.integers(0, 2**32 - 1),
    "uint64_contents": some.integers(0, 2**64 - 1),
    "fp32_contents": some.floats(width=32),
    "fp64_contents": some.floats(),
    "bytes_contents": some.binary(max_size=8),
}
TENSORS = some.fixed_dictionaries(
    {},
    optional={
        "name": some.sampled_from(NAMES) | some.text(max_size=4),
        "datatype": some.sampled_from([*TYPES.values(), "FP16", "INT8", "FP128", ""]),
        "shape": some.lists(some.integers(-(2**63), 2**63 - 1) | some.integers(0, 3), max_size=3),
        "contents": some.fixed_dictionaries(
            {}, optional={name: some.lists(one, max_size=4) for name, one in FIELDS.items()}
        ),
    },
)
REQUESTS = some.fixed_dictionaries(
    {"model_name": some.just("flight-delay"), "inputs": some.lists(TENSORS, max_size=7)},
    optional={
        "id": some.text(max_size=4),
        "outputs": some.lists(
            some.fixed_dictionaries({"name": some.sampled_from(["prediction", "x"])}), max_size=2
        ),
        "raw_input_contents": some.lists(some.binary(max_size=17), max_size=7),
    },
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    store: Path = tmp_path_factory.mktemp("store")
    pipeline = fitted(ordinal(), DecisionTreeClassifier(max_depth=4), classes=(False, True))
    return Client(made(packaged(pipeline, store), store))


def answered(client: Client, method: str, message: bytes) -> bytes | None:
    """The answer, or None for a refusal that says why; nothing of a refused request is counted."""
    flagged = client.serving.encoder.flags.total
    service, error = InferenceService(client.serving), None
    try:
        return asyncio.run(service.methods[method](message))  # type: ignore[arg-type]
    except RequestError as refusal:
        error = refusal
    assert error.status in (400, 404, 413)
    assert error.message
    assert client.serving.encoder.flags.total == flagged
    return None


@given(message=some.binary(max_size=60))
def test_any_bytes_are_refused_or_answered(client: Client, message: bytes) -> None:
    for method in (*METHODS, "ModelInfer"):
        answered(client, method, message)


@given(request=REQUESTS)
@settings(max_examples=300)
def test_any_request_is_refused_or_answered(client: Client, request: dict[str, Any]) -> None:
    answered(client, "ModelInfer", wire.ModelInferRequest(**request).SerializeToString())


@some.composite
def damaged(draw: some.DrawFn) -> bytes:
    """A message of which a part is missing, twice there, or something else."""
    sent = draw(some.sampled_from([typed, raw]))([ROW, ROW]).SerializeToString()
    for _ in range(draw(some.integers(1, 4))):
        start = draw(some.integers(0, len(sent)))
        end = draw(some.integers(start, min(len(sent), start + 40)))
        other = draw(some.binary(max_size=8) | some.just(sent[start:end] * 2) | some.just(b""))
        sent = sent[:start] + other + sent[end:]
    return bytes(sent)


@given(message=damaged())
@example(message=b"\x2b" * 200)  # groups in groups
@settings(max_examples=300)
def test_damaged_requests_are_refused_or_answered(client: Client, message: bytes) -> None:
    answered(client, "ModelInfer", message)


@given(seed=some.integers(0, 2**32 - 1), form=some.sampled_from([typed, raw]))
def test_answers_are_those_of_http(client: Client, seed: int, form: Any) -> None:
    rows = [row for row in flights(12, seed=seed) if None not in row.values()]
    over_http = client.post(INFER, {"inputs": tensors(rows)}).json()["outputs"][1]["data"]

    answer = answered(client, "ModelInfer", form(rows).SerializeToString())

    assert answer is not None
    got = wire.ModelInferResponse.FromString(answer)
    values = list(got.outputs[1].contents.fp64_contents)
    if form is raw:
        values = memoryview(got.raw_output_contents[1]).cast("d").tolist()
    assert values == over_http
