"""An ONNX file is read only where each of its parts is one that ours are made of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from serinus_runtime.artifact import onnx_file
from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.onnx_file import checked_onnx, written_onnx
from serinus_runtime.artifact.onnx_file_pb2 import Node
from tests.support.onnx_files import bytes_of, crafted, product

OURS = bytes_of(product(np.ones((3, 2))))


def test_what_we_write_is_read() -> None:
    assert checked_onnx(OURS) == OURS


def elsewhere(model: Any) -> None:
    """The weights are those of another file, wherever its name leads."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")


def foreign_operator(model: Any) -> None:
    model.graph.node[0].domain = "com.example"


def foreign_set(model: Any) -> None:
    model.opset_import.add(domain="com.example", version=1)


def endless(model: Any) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["n", "go"], ["x"], body=body))


def hidden_in_a_body(model: Any) -> None:
    body = helper.make_graph([helper.make_node("Loop", ["n"], ["x"])], "body", [], [])
    scan = helper.make_node("Scan", ["columns"], ["x"], body=body, num_scan_inputs=1)
    model.graph.node.append(scan)


def function(model: Any) -> None:
    one = helper.make_node("MatMul", ["a", "b"], ["c"])
    made = helper.make_function("ours", "F", ["a", "b"], ["c"], [one], model.opset_import)
    model.functions.append(made)


def metadata(model: Any) -> None:
    model.metadata_props.add(key="text", value="x" * 1000)


def training(model: Any) -> None:
    model.training_info.add()


def sparse(model: Any) -> None:
    model.graph.sparse_initializer.add()


def node_with_metadata(model: Any) -> None:
    model.graph.node[0].metadata_props.add(key="a", value="b")


def newer(model: Any) -> None:
    model.opset_import[0].version = 22


def two_versions(model: Any) -> None:
    model.opset_import.add(domain="", version=20)


def newer_format(model: Any) -> None:
    model.ir_version = 11


def two_inputs(model: Any) -> None:
    model.graph.input.append(model.graph.input[0])


def no_output(model: Any) -> None:
    del model.graph.output[:]


def narrow(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def cube(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim.add(dim_value=2)


NOT_NEEDED = "holds what a model needs no part of"
NOT_READ = "isn't one that is read here"
HOSTILE: dict[Callable[[Any], None], str] = {
    elsewhere: NOT_NEEDED,
    function: NOT_NEEDED,
    metadata: NOT_NEEDED,
    training: NOT_NEEDED,
    sparse: NOT_NEEDED,
    node_with_metadata: NOT_NEEDED,
    foreign_operator: "operators that aren't allowed in an artifact: com.example.MatMul",
    endless: "operators that aren't allowed in an artifact: Loop",
    hidden_in_a_body: "operators that aren't allowed in an artifact: Loop",
    foreign_set: NOT_READ,
    newer: "version 10 with the operator sets onnx 22 isn't one",
    two_versions: NOT_READ,
    newer_format: NOT_READ,
    two_inputs: "takes 2 inputs and gives 1 outputs",
    no_output: "takes 1 inputs and gives 0 outputs",
    narrow: "its input isn't a matrix of 64-bit floats",
    cube: "its input isn't a matrix of 64-bit floats",
}


@pytest.mark.parametrize(
    ("change", "message"), HOSTILE.items(), ids=[change.__name__ for change in HOSTILE]
)
def test_a_file_with_other_parts_is_refused(change: Callable[[Any], None], message: str) -> None:
    with pytest.raises(FormatRefused, match=f"model.onnx: .*{message}"):
        checked_onnx(crafted(OURS, change))


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"PK\x03\x04" * 9, OURS[:-5]])
def test_what_is_no_file_of_ours_is_refused(content: bytes) -> None:
    with pytest.raises(FormatRefused, match=r"model\.onnx"):
        checked_onnx(content)


def field(number: int, content: bytes) -> bytes:
    """A field of a message that holds other messages."""
    sizes = [len(content) >> 7 * at & 0x7F | 0x80 for at in range(4)]
    return bytes([number << 3 | 2, *sizes, 0]) + content


def test_bodies_in_bodies_are_refused_before_they_exhaust_the_stack() -> None:
    graph = b""
    for _ in range(10_000):
        graph = field(1, field(5, field(6, graph)))  # a node, its attribute, that one's body

    with pytest.raises(FormatRefused, match=r"model\.onnx: can't be read: DecodeError"):
        checked_onnx(field(7, graph))


def test_a_file_that_is_too_large_isnt_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "ONNX_BYTES_MAX", len(OURS) - 1)

    with pytest.raises(FormatRefused, match=f"model.onnx: has {len(OURS)} bytes, expected 1 to"):
        checked_onnx(OURS)


def with_labels(model: Any) -> None:
    """As converters make it: named by themselves, and with a second output for the label."""
    model.producer_name = "somebody"
    model.doc_string = "made on a machine"
    model.opset_import.insert(0, helper.make_opsetid("ai.onnx.ml", 1))
    labels = helper.make_node("ArgMax", ["answers"], ["label"], axis=1)
    model.graph.node.append(labels)
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, [None]))
    model.graph.initializer.append(helper.make_tensor("unused", TensorProto.INT64, [1], [1]))


def test_a_converted_model_is_written_without_what_its_answers_dont_need() -> None:
    assert written_onnx(crafted(OURS, with_labels), "answers") == OURS


def test_what_a_body_takes_from_around_it_is_kept() -> None:
    model = product(np.ones((3, 2)))
    neg = Node(op_type="Neg", input=["weights"], output=["outer"])
    scan = Node(op_type="Scan", input=["answers"], output=["scanned"])
    body = scan.attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g
    body.node.add(op_type="Add", input=["row", "outer"], output=["sum"])
    unused = Node(op_type="Abs", input=["weights"], output=["nothing"])
    model.graph.node.extend([neg, unused, scan])
    model.graph.output[0].name = "scanned"

    written = written_onnx(bytes_of(model), "scanned")

    kept = onnx.ModelProto.FromString(written).graph.node
    assert [node.op_type for node in kept] == ["MatMul", "Neg", "Scan"]


def test_a_name_of_another_file_is_never_written() -> None:
    assert b"passwd" not in written_onnx(crafted(OURS, elsewhere), "answers")
