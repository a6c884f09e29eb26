"""Whatever bytes a client sends, C answers what they say, or leaves them; nothing else is touched.

That nothing else is touched is what `test_memory_safety.py` sees, which plays these laws with a
library that ends the process at the first byte out of bounds.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.kernel.tensor_kernel import CELLS_MAX, OUT_MAX_BYTES, TensorKernel
from serinus_runtime.server.usual_rows import usual_rows
from tests.support.hand_made_models import CLASSES, NAMES, REVISION, kernel_of, model_of

ROW: dict[str, Any] = {
    "distance": 500.25, "delay": -1.5, "hour": 12, "holiday": False, "carrier": "AA", "load": 1e-7,
}  # fmt: skip
SPARSE = dict.fromkeys(NAMES) | {"distance": 10.5}
MODELS = {kind: model_of(kind) for kind in CLASSES}
KERNELS = {kind: kernel_of(model) for kind, model in MODELS.items()}
ROWS = {kind: usual_rows(MODELS[kind], REVISION, KERNELS[kind]) for kind in CLASSES}
TENSORS = "tensors"
NOW_MS = 1_700_000_000_123
STRUCTURE = [bytes([one]) for one in b'{}[],:"\\0-.eEnt \x00\x1f\x7f\xff']
GREATEST = CELLS_MAX // len(NAMES)

Body = dict[str, Any]


def compact(body: Body) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def columns(rows: list[Body], rank: int = 1) -> Body:
    shape = [len(rows), 1][:rank]
    return {
        "inputs": [
            {"name": name, "datatype": "FP64", "shape": shape, "data": [row[name] for row in rows]}
            for name in NAMES
        ]
    }


def matrix(rows: list[Body], *, nested: bool) -> Body:
    cells = [[row[name] for name in NAMES] for row in rows]
    data = cells if nested else [cell for row in cells for cell in row]
    shape = [len(rows), len(NAMES)]
    return {"inputs": [{"name": "all", "datatype": "FP64", "shape": shape, "data": data}]}


def lists(rows: list[Body], word: str = "instances") -> Body:
    return {word: [[row[name] for name in NAMES] for row in rows]}


FORMS: dict[str, Callable[[list[Body]], Body]] = {
    "columns": columns,
    "columns of rank two": lambda rows: columns(rows, rank=2),
    "one matrix": lambda rows: matrix(rows, nested=False),
    "a matrix row by row": lambda rows: matrix(rows, nested=True),
    "objects": lambda rows: {"rows": rows},
    "lists": lists,
    "instances": lambda rows: {"instances": rows},
}


def askers(kind: str) -> dict[str, Any]:
    return {TENSORS: KERNELS[kind], **ROWS[kind]}


def n_answers(text: bytes) -> int:
    answer = orjson.loads(text)
    if "outputs" in answer:
        return int(answer["outputs"][0]["shape"][0])
    return len(answer["predictions"])


def hold(kind: str, body: bytes) -> int:
    """Ask all that reads requests; by how many it was answered, each as many rows as it counts."""
    answered = 0
    for asked in askers(kind).values():
        text = asked.answer(body, NOW_MS, 77)
        kernel = KERNELS[kind]
        if text is None:
            assert kernel.n_rows == 0
            continue
        answered += 1
        orjson.loads(body)
        assert n_answers(text) == kernel.n_rows == len(kernel.bins_of_rows()) > 0
        assert re.fullmatch("[A-Za-z0-9_-]{40,}", kernel.prediction_id(text))
        expected = MODELS[kind].predictor.answers(kernel.rows())
        np.testing.assert_array_equal(kernel.answers(), expected)
    return answered


def beside(body: bytes) -> Iterator[bytes]:
    """All that differ from a body in one byte's place."""
    for at in range(len(body)):
        yield body[:at] + body[at + 1 :]
        for one in STRUCTURE:
            yield body[:at] + one + body[at + 1 :]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("form", FORMS)
def test_a_request_that_ends_anywhere_is_left(kind: str, form: str) -> None:
    body = compact(FORMS[form]([ROW, SPARSE]))

    assert hold(kind, body) > 0
    for end in range(len(body)):
        assert hold(kind, body[:end]) == 0


BESIDE = (
    ("two classes", "columns"),
    ("three classes", "columns of rank two"),
    ("regression", "one matrix"),
    ("three classes", "objects"),
    ("regression", "lists"),
)


@pytest.mark.parametrize(("kind", "form"), BESIDE)
def test_a_request_beside_a_usual_one_is_left_or_means_what_it_says(kind: str, form: str) -> None:
    body = compact(FORMS[form]([ROW]))

    assert 0 < sum(hold(kind, one) > 0 for one in beside(body)) < len(body) * len(STRUCTURE)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_rows", [1, 16, 17, GREATEST - 1, GREATEST])
def test_as_many_rows_as_there_is_room_for_are_answered(kind: str, form: str, n_rows: int) -> None:
    assert hold(kind, compact(FORMS[form]([ROW] * n_rows))) > 0


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_rows", [GREATEST + 1, CELLS_MAX, CELLS_MAX + 1])
def test_more_rows_are_left(kind: str, form: str, n_rows: int) -> None:
    assert hold(kind, compact(FORMS[form]([ROW] * n_rows))) == 0


@pytest.mark.parametrize("kind", CLASSES)
def test_a_shape_beyond_all_rows_is_left(kind: str) -> None:
    body = compact(columns([ROW]))
    for size in (0, 2, 9_999, 10_000, 2**31 - 1, 2**31, 2**63 - 1, 2**64, 10**30):
        assert hold(kind, body.replace(b"[1]", b"[%d]" % size)) == 0
        assert hold(kind, body.replace(b"[1]", b"[1,%d]" % size)) == 0


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("rank", [3, 4, 100])
def test_a_shape_of_higher_rank_is_left(kind: str, rank: int) -> None:
    shape = b"[" + b",".join([b"1"] * rank) + b"]"

    assert hold(kind, compact(columns([ROW])).replace(b"[1]", shape)) == 0


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("text", ["A", "AAA", "A" * 5000, "x" * 5000])
def test_a_text_beyond_all_categories_is_left(kind: str, text: str) -> None:
    assert hold(kind, compact(lists([ROW | {"carrier": text}]))) == 0


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.tuples(
        st.text("0123456789", max_size=400), st.text("0123456789", max_size=400),
        st.sampled_from(["", "e5", "E-400", "e+99999999999", "e"]),
    ).map(lambda parts: f"{parts[0]}.{parts[1]}{parts[2]}"),
    st.sampled_from(["null", "true", "false", '""', '"AA"', '"AAA"', "-0", "-", "[]", "{}"]),
)  # fmt: skip
SPACE = st.text(" \n\r\t", max_size=40)


@given(st.sampled_from(sorted(CLASSES)), st.lists(NUMBERS, min_size=6, max_size=6), SPACE)
def test_any_value_is_read_as_it_says_or_left(kind: str, values: list[str], space: str) -> None:
    text = f"{space}[{space}" + f"{space},{space}".join(values) + f"{space}]{space}"
    body = f'{{"instances":{space}[{text},{text}]{space}}}{space}'.encode()

    if hold(kind, body):
        expected = RowEncoder(MODELS[kind].manifest.signature).cells(
            [cell for row in orjson.loads(body)["instances"] for cell in row], 2
        )
        np.testing.assert_array_equal(KERNELS[kind].rows(), expected)


@given(
    st.sampled_from(sorted(CLASSES)),
    st.sampled_from(sorted(FORMS)),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 9), st.binary(max_size=9)), max_size=5),
    st.booleans(),
)
def test_a_request_with_any_damage_is_left_or_means_what_it_says(
    kind: str, form: str, edits: list[tuple[int, int, bytes]], is_long: bool
) -> None:
    body = compact(FORMS[form]([ROW, SPARSE] * (20 if is_long else 1)))
    for place, dropped, put in edits:
        at = place % (len(body) + 1)
        body = body[:at] + put + body[at + dropped :]

    hold(kind, body)


@given(st.sampled_from(sorted(CLASSES)), st.binary(max_size=3000))
def test_any_bytes_are_left(kind: str, body: bytes) -> None:
    assert hold(kind, body) == 0


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("short_by", [-20_000, 0, 1, 20_000])
def test_a_name_is_told_again_where_there_is_room(kind: str, short_by: int) -> None:
    body = with_name(1, OUT_MAX_BYTES - short_by)

    assert hold(kind, body) == (short_by > 1)


def with_name(n_rows: int, length: int) -> bytes:
    return compact({"id": "x" * length, **columns([ROW] * n_rows)})


@given(
    st.sampled_from(sorted(CLASSES)),
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 300)), max_size=12),
    st.integers(0, 9000),
)
def test_what_is_answered_is_gathered_within_its_chunk(
    kind: str, requests: list[tuple[int, int]], chunk_bytes: int
) -> None:
    kernel: TensorKernel = kernel_of(MODELS[kind])
    gathering = kernel.begin_gathering()
    gathering.percent = 100
    gathering.exchange(gathering.new_chunk(chunk_bytes))
    for n_rows, length in requests:
        kernel.unlogged = False
        assert kernel.answer(with_name(n_rows, length), NOW_MS, 7) is not None
        if kernel.unlogged:
            kernel.log(0)
    chunk = gathering.exchange(None)

    assert chunk is not None
    assert chunk.held_bytes <= max(chunk_bytes, 0)
    assert chunk.n_rows == chunk.row_counts.sum() == gathering.taken_rows
    assert gathering.taken_rows <= sum(n_rows for n_rows, _ in requests)
