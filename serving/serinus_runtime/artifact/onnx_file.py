"""`model.onnx`: an estimator as ONNX, of the parts and operators that ours are made of, no others.

What may be in a file is what `onnx_file.proto` names, so nothing in it leads to another file or to
code; a file with anything else isn't the one that its own parts would be written as, and is
refused. Operators are held against a list. None of it repeats, so a file can't compute for ever;
how much memory it takes is bounded from outside, as for any model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serinus_runtime.artifact.errors import FormatRefused, refusing
from serinus_runtime.artifact.manifest import ONNX_FILE
from serinus_runtime.artifact.onnx_file_pb2 import Graph, Model, Node, OperatorSet

ONNX_BYTES_MAX = 32 << 20
_OPERATORS = (
    "Abs Add Cast Clip Concat ConstantOfShape Div Equal Exp Flatten Gather Greater Identity Log "
    "MatMul Max Mul Neg Not Pow Reciprocal ReduceLogSumExp ReduceMax ReduceMean ReduceSum "
    "ReduceSumSquare Relu Reshape Scan Shape Sigmoid Softmax Sqrt Sub Sum Tanh TopK Transpose"
)
_ML_OPERATORS = "ArrayFeatureExtractor SVMClassifier"
OPERATORS = {
    "": frozenset(_OPERATORS.split()),
    "ai.onnx.ml": frozenset(_ML_OPERATORS.split()),
}
"""By domain: what `onnx_form` makes of the estimators that it converts."""
OPERATOR_SETS = {"": 21, "ai.onnx.ml": 3}
"""The newest version of each domain that is written, and so the newest that is read."""
_IR_VERSION = 10
_DOUBLE = 11
_DIMENSIONS = 2
_SHOWN = 5


def written_onnx(content: bytes, output: str) -> bytes:
    """A converted model with `output` as its only one, in our way to write; the same for the same.

    Raises `FormatRefused` where it needs what an artifact can't hold.
    """
    with refusing("the ONNX form"):
        model = Model()
        model.MergeFromString(content)
        model.DiscardUnknownFields()
        _keep_only(model.graph, output)
        domains = {node.domain for node in _nodes(model.graph)}
        kept = sorted(
            (each.domain, each.version) for each in model.opset_import if each.domain in domains
        )
        del model.opset_import[:]
        model.opset_import.extend(
            OperatorSet(domain=domain, version=version) for domain, version in kept
        )
        model.ir_version = min(model.ir_version, _IR_VERSION)
        model.graph.name = "estimator"
        return checked_onnx(_bytes(model))


def checked_onnx(content: bytes) -> bytes:
    """The bytes themselves; raises `FormatRefused` unless all their parts are allowed."""
    if not 0 < len(content) <= ONNX_BYTES_MAX:
        raise FormatRefused(
            f"{ONNX_FILE}: has {len(content)} bytes, expected 1 to {ONNX_BYTES_MAX}"
        )
    with refusing(ONNX_FILE):
        model = Model()
        model.MergeFromString(content)
        model.DiscardUnknownFields()
        if _bytes(model) != content:
            raise FormatRefused(
                f"{ONNX_FILE}: holds what a model needs no part of, such as data in other files, "
                "functions or metadata"
            )
        _check_operators(_nodes(model.graph))
        _check_versions(model)
        _check_ends(model.graph)
    return content


def _bytes(model: Model) -> bytes:
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def _check_versions(model: Model) -> None:
    found = [(each.domain, each.version) for each in model.opset_import]
    told = ", ".join(f"{domain or 'onnx'} {version}"[:80] for domain, version in found[:_SHOWN])
    known = all(1 <= version <= OPERATOR_SETS.get(domain, 0) for domain, version in found)
    if not known or len(dict(found)) < len(found) or not 1 <= model.ir_version <= _IR_VERSION:
        raise FormatRefused(
            f"{ONNX_FILE}: version {model.ir_version} with the operator sets {told} isn't one that "
            "is read here"
        )


def _check_operators(nodes: Iterable[Node]) -> None:
    refused = sorted(
        {
            ".".join(filter(None, (node.domain, node.op_type)))
            for node in nodes
            if node.op_type not in OPERATORS.get(node.domain, ())
        }
    )
    if refused:
        raise FormatRefused(
            f"{ONNX_FILE}: holds operators that aren't allowed in an artifact: "
            f"{', '.join(refused[:_SHOWN])[:200]}"
        )


def _check_ends(graph: Graph) -> None:
    """One matrix of doubles goes in, one comes out: onnxruntime would cast nothing."""
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise FormatRefused(
            f"{ONNX_FILE}: takes {len(graph.input)} inputs and gives {len(graph.output)} outputs, "
            "expected one of each"
        )
    tensor = graph.input[0].type.tensor_type
    dimensions = [dimension.WhichOneof("value") for dimension in tensor.shape.dim]
    if tensor.elem_type != _DOUBLE or len(dimensions) != _DIMENSIONS:
        raise FormatRefused(f"{ONNX_FILE}: its input isn't a matrix of 64-bit floats")


def _nodes(graph: Graph) -> Iterator[Node]:
    """All nodes, also those of bodies."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _keep_only(graph: Graph, output: str) -> None:
    """Leave out what the output doesn't depend on: labels, which are decided elsewhere."""
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(name for inner in _nodes(Graph(node=[node])) for name in inner.input)
            kept.append(node)
    ends = [end for end in graph.output if end.name == output]
    tensors = [tensor for tensor in graph.initializer if tensor.name in needed]
    bodies = kept[::-1]
    for part in (graph.node, graph.output, graph.initializer):
        del part[:]
    graph.node.extend(bodies)
    graph.output.extend(ends)
    graph.initializer.extend(tensors)
