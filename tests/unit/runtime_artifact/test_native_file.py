"""Hostile files of skops: none runs code, and none gets past the list of types.

Each is a real file, changed as somebody would who may write below `models/` and knows skops well.
A refusal isn't enough where code could have run before it: `touched` would be there then.
"""

import functools
import json
import operator
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import runstring
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch

from serinus_runtime.artifact import archive, native_file
from serinus_runtime.artifact.archive import unpacked
from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.native_file import read_pipeline, written_pipeline
from tests.support.skops_files import SCHEMA, Node, changed, nodes, npy, npy_header, zipped

ROWS = np.random.default_rng(1).normal(size=(60, 3))
LABELS = ROWS[:, 0] > 0


def fitted(*steps: Any) -> Pipeline:
    return make_pipeline(*steps).fit(ROWS, LABELS)


SCALED = fitted(StandardScaler(), LogisticRegression())
TREE = fitted(StandardScaler(), DecisionTreeClassifier(max_depth=2))


def untouched(_: Node, __: dict[str, bytes]) -> None: ...


def test_a_pipeline_comes_back_as_it_was_and_is_the_same_bytes_each_time() -> None:
    content = written_pipeline(SCALED)

    assert written_pipeline(SCALED) == content
    assert written_pipeline(read_pipeline(content)) == content
    assert (read_pipeline(content).predict_proba(ROWS) == SCALED.predict_proba(ROWS)).all()
    # No address of memory, no random name: skops itself writes both.
    members = unpacked(content, name="x")
    assert list(members) == [SCHEMA, *(f"{number}.npy" for number in range(len(members) - 1))]
    assert b"__id__" not in members[SCHEMA]


def test_what_skops_itself_wrote_is_read() -> None:
    assert (read_pipeline(changed(SCALED, untouched)).predict(ROWS) == SCALED.predict(ROWS)).all()


class Subclassed(LogisticRegression):
    """Somebody's own estimator: it can't be made again where its module isn't."""


def holding(value: Any) -> Pipeline:
    """A pipeline whose estimator carries something along."""
    pipeline = fitted(LogisticRegression())
    pipeline[-1].carried = value
    return pipeline


def calls(function: Any) -> Pipeline:
    return fitted(FunctionTransformer(function, check_inverse=False), LogisticRegression())


def hidden(inner: Any) -> Pipeline:
    """Two pipelines and a ColumnTransformer deep."""
    columns = ColumnTransformer([("x", Pipeline([("y", Pipeline([("z", inner)]))]), [0, 1, 2])])
    return Pipeline([("columns", columns), ("model", LogisticRegression())])


NAMED_BY_PIPELINES: list[tuple[str, Callable[[], Any], str]] = [
    ("a function of NumPy", lambda: calls(np.nan_to_num), "nan_to_num"),
    ("NumPy's exec", lambda: hidden(FunctionTransformer(runstring)), "runstring"),
    ("a builtin", lambda: hidden(FunctionTransformer(eval)), "builtins.eval"),
    ("a ufunc, which skops trusts", lambda: calls(np.exp), "numpy.exp"),
    ("a ufunc, deep inside", lambda: hidden(FunctionTransformer(np.log1p)), "numpy.log1p"),
    ("a bound method", lambda: holding(LogisticRegression().fit), "LogisticRegression"),
    ("a partial call", lambda: holding(functools.partial(open, "x")), "functools.partial"),
    ("a caller of methods", lambda: holding(operator.methodcaller("fit")), "operator.methodcaller"),
    ("a getter", lambda: holding(operator.attrgetter("__class__")), "operator.attrgetter"),
    ("a class of processes", lambda: holding(subprocess.Popen), "subprocess.Popen"),
    ("a subclass", lambda: fitted(Subclassed()), "Subclassed"),
    ("a dict of scikit-learn's", lambda: holding(Bunch(a=1)), "sklearn.utils._bunch.Bunch"),
    ("a reader of files", lambda: holding(CountVectorizer(input="filename")), "CountVectorizer"),
    ("a path", lambda: holding(Path("/etc")), "PosixPath"),
]


@pytest.mark.parametrize(
    ("make", "told"), [pytest.param(*row[1:], id=row[0]) for row in NAMED_BY_PIPELINES]
)
def test_a_pipeline_that_holds_what_isnt_on_the_list_is_neither_written_nor_read(
    make: Callable[[], Any], told: str
) -> None:
    pipeline = make()

    with pytest.raises(FormatRefused, match=f"types that aren't allowed .*{re.escape(told)}"):
        written_pipeline(pipeline)
    with pytest.raises(FormatRefused, match=f"types that aren't allowed .*{re.escape(told)}"):
        read_pipeline(changed(pipeline, untouched))


@pytest.fixture
def touched(tmp_path: Path) -> Path:
    """The file that hostile code would make."""
    return tmp_path / "touched"


def node(module: str, name: str, loader: str, **more: Any) -> Node:
    return {"__module__": module, "__class__": name, "__loader__": loader, **more}


def text(value: Any) -> Node:
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def command(path: Path) -> Node:
    return node("builtins", "list", "ListNode", content=[text("touch"), text(str(path))])


def arguments(*values: Node) -> Node:
    return node("builtins", "tuple", "TupleNode", content=list(values))


def calling(module: str, name: str) -> Callable[[Path], Node]:
    """A node of the loader that calls a type with arguments from the file."""
    return lambda path: node(
        module, name, "ConstructorFromReduceNode", content=arguments(command(path))
    )


def listed(module: str, name: str) -> Callable[[Path], Node]:
    """A list that claims to be of another type, which is called with its items."""
    return lambda path: node(module, name, "ListNode", content=command(path)["content"])


def keyed(path: Path) -> Node:
    """A dict one of whose keys is made by a call."""
    opener = node("builtins", "open", "TypeNode")
    types = node("builtins", "list", "ListNode", content=[opener])
    return node("builtins", "dict", "DictNode", content={str(path): text(1)}, key_types=types)


def reduced(path: Path) -> Node:
    """A loss whose constructor is somebody else's."""
    return node(
        "subprocess", "Popen", "LossNode",
        content=text({}), __reduce__={"args": arguments(command(path))},
    )  # fmt: skip


def cast_array(path: Path) -> Node:
    """An array that is handed to a type of the file's choice."""
    return node("subprocess", "Popen", "NdArrayNode", type="numpy", file="command.npy")


def generator(path: Path) -> Node:
    """A generator whose bits come from a function named by a plain text."""
    bits = node(
        "builtins", "dict", "DictNode",
        content={"bit_generator": text("set_bit_generator")},
        key_types=node("builtins", "list", "ListNode", content=[]),
    )  # fmt: skip
    return node(
        "numpy.random._generator", "Generator", "RandomGeneratorNode",
        content={"bit_generator": bits, "seed_seq": bits},
    )  # fmt: skip


CRAFTED: list[tuple[str, Callable[[Path], Node], str]] = [
    ("a process", calling("subprocess", "Popen"), "subprocess.Popen"),
    ("a process, by way of a module of ours",
     calling("sklearn.utils._testing", "check_output"), "check_output"),
    ("an allowed class by a loader that calls it",
     calling("sklearn.pipeline", "Pipeline"), "sklearn.pipeline.Pipeline"),
    ("a list that is none", listed("subprocess", "Popen"), "subprocess.Popen"),
    ("a list that is an estimator", listed("sklearn.pipeline", "Pipeline"), "sklearn.pipeline"),
    ("a key that is made by a call", keyed, "builtins.open"),
    ("a loss that is none", reduced, "subprocess.Popen"),
    ("an array for a process", cast_array, "subprocess.Popen"),
    ("bits of a function", generator, "numpy.random.set_bit_generator"),
    ("a node for another node", lambda _: node("builtins", "str", "CachedNode"), "builtins.str"),
    ("a loader nobody knows", lambda _: node("builtins", "str", "EvalNode"), "builtins.str"),
    ("a loader that is no name", lambda _: node("builtins", "str", {}), "builtins.str"),  # type: ignore[arg-type]
    ("a dot too many", lambda _: node("sklearn.pipeline.", "Pipeline", "ObjectNode"),
     "sklearn.pipeline..Pipeline"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "told"), [pytest.param(*row[1:], id=row[0]) for row in CRAFTED])
def test_a_crafted_node_is_refused_and_nothing_is_called(
    make: Callable[[Path], Node], told: str, touched: Path
) -> None:
    def crafted(schema: Node, members: dict[str, bytes]) -> None:
        members["command.npy"] = npy(np.array(["touch", str(touched)]))
        estimator = next(nodes(schema, of="LogisticRegression"))
        estimator["content"]["content"]["carried"] = make(touched)
        estimator["content"]["key_types"]["content"].append(node("builtins", "str", "TypeNode"))

    with pytest.raises(FormatRefused, match=re.escape(told)):
        read_pipeline(changed(SCALED, crafted))

    assert not touched.exists()


def test_a_type_that_a_transformer_would_call_is_refused() -> None:
    # `str` is on the list, for the keys of dicts; a transformer that calls it isn't made.
    def crafted(schema: Node, _: dict[str, bytes]) -> None:
        transformer = next(nodes(schema, of="FunctionTransformer"))
        transformer["content"]["content"]["func"] = node("builtins", "str", "TypeNode")

    passing = fitted(ColumnTransformer([("x", "passthrough", [0, 1, 2])]), LogisticRegression())

    with pytest.raises(FormatRefused, match="the parts of a FunctionTransformer"):
        read_pipeline(changed(passing, crafted))
    assert read_pipeline(changed(passing, untouched))[0].transformers_[0][1].func is None


def test_an_id_cant_put_one_node_in_the_place_of_another() -> None:
    """skops takes a node for the first of its id. The one below looks like null and is a type."""

    def crafted(schema: Node, _: dict[str, bytes]) -> None:
        estimator = next(nodes(schema, of="LogisticRegression"))["content"]
        estimator["content"]["class_weight"] = node("builtins", "str", "TypeNode", __id__=42)
        estimator["content"]["carried"] = text(None) | {"__id__": 42}
        estimator["key_types"]["content"].append(node("builtins", "str", "TypeNode"))

    assert read_pipeline(changed(SCALED, crafted))[-1].carried is None


@pytest.mark.parametrize("protocol", [0, 1, 3, -1, True, "2", None])
def test_another_protocol_is_refused_for_its_readers_check_less(protocol: Any) -> None:
    def crafted(schema: Node, _: dict[str, bytes]) -> None:
        schema["protocol"] = protocol

    with pytest.raises(FormatRefused, match="expected protocol 2 of skops"):
        read_pipeline(changed(SCALED, crafted))


def bomb(schema: Node, _: dict[str, bytes]) -> None:
    schema["padding"] = "0" * (4 << 20)


def test_a_zip_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_BYTES", 1 << 20)

    with pytest.raises(FormatRefused, match="would unpack to"):
        read_pipeline(changed(SCALED, bomb))


def test_a_tree_of_nodes_too_long_to_parse_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_file, "SCHEMA_BYTES_MAX", 1 << 20)

    with pytest.raises(FormatRefused, match=r"schema.json has \d+ bytes"):
        read_pipeline(changed(SCALED, bomb))


def test_a_tree_too_deep_to_follow_is_refused() -> None:
    deep = b'{"protocol":2,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    with pytest.raises(FormatRefused, match="RecursionError"):
        read_pipeline(zipped({SCHEMA: deep}))


def test_nodes_nested_too_deep_to_build_are_refused() -> None:
    def crafted(schema: Node, _: dict[str, bytes]) -> None:
        inner = text(1)
        for _level in range(300):
            inner = node("builtins", "list", "ListNode", content=[inner])
        next(nodes(schema, of="LogisticRegression"))["content"]["content"]["C"] = inner

    with pytest.raises(FormatRefused, match="RecursionError"):
        read_pipeline(changed(SCALED, crafted))


def of_arrays(change: Callable[[str, dict[str, bytes]], None]) -> bytes:
    """A file after a change of the first array that a node names."""

    def crafted(schema: Node, members: dict[str, bytes]) -> None:
        change(next(nodes(schema, of="ndarray"))["file"], members)

    return changed(SCALED, crafted)


def absurd(name: str, members: dict[str, bytes]) -> None:
    members[name] = npy_header("(1000000000000, 8)")


def pickled(name: str, members: dict[str, bytes]) -> None:
    members[name] = npy_header("(1,)", descr="|O") + b"cos\nsystem\n(S'true'\ntR."


def lost(name: str, members: dict[str, bytes]) -> None:
    del members[name]


def elsewhere(name: str, members: dict[str, bytes]) -> None:
    members["../../../etc/cron.d/x.npy"] = members.pop(name)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (absurd, "the shape .* takes 64000000000000 bytes, not 0"),
        (pickled, "without pickle"),
        (lost, "KeyError"),
        (elsewhere, "the member name '../../../etc/cron.d/x.npy' isn't plain"),
    ],
)
def test_an_array_that_is_none_is_refused(
    change: Callable[[str, dict[str, bytes]], None], told: str
) -> None:
    with pytest.raises(FormatRefused, match=told):
        read_pipeline(of_arrays(change))


@pytest.mark.parametrize("name", ["../outside.npy", "/etc/passwd", "schema.json"])
def test_a_node_reads_nothing_but_the_arrays_of_its_own_file(name: str) -> None:
    def crafted(schema: Node, _: dict[str, bytes]) -> None:
        next(nodes(schema, of="ndarray"))["file"] = name

    with pytest.raises(FormatRefused, match="KeyError"):
        read_pipeline(changed(SCALED, crafted))


def test_a_bomb_within_the_file_of_a_sparse_matrix_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "UNPACKED_BYTES", 4 << 20)

    def crafted(schema: Node, members: dict[str, bytes]) -> None:
        neighbours = next(nodes(schema, of="KNeighborsClassifier"))["content"]["content"]
        neighbours["_fit_X"] = node(
            "scipy.sparse._csr", "csr_matrix", "SparseMatrixNode", type="scipy", file="s.npz"
        )
        members["s.npz"] = zipped({"data.npy": bytes(64 << 20)})

    with pytest.raises(FormatRefused, match="would unpack to 67108864"):
        read_pipeline(changed(fitted(KNeighborsClassifier()), crafted))


@pytest.mark.parametrize("outputs", ["2", "1000000000", "-1", '"1"'])
def test_a_tree_that_reads_more_numbers_of_classes_than_there_are_is_refused(outputs: str) -> None:
    def crafted(schema: Node, _: dict[str, bytes]) -> None:
        tree = next(nodes(schema, of="Tree"))
        tree["__reduce__"]["args"]["content"][2]["content"] = outputs

    with pytest.raises(FormatRefused, match="a tree predicts several labels"):
        read_pipeline(changed(TREE, crafted))


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04cos\nsystem\n", zipped({})])
def test_what_is_no_file_of_skops_is_refused(content: bytes) -> None:
    with pytest.raises(FormatRefused):
        read_pipeline(content)


def test_a_file_of_something_else_is_refused() -> None:
    with pytest.raises(FormatRefused, match="holds a LogisticRegression, not a Pipeline"):
        read_pipeline(changed(SCALED[-1], untouched))
