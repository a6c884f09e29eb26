"""hack/bench serving: requests of each server's form, what is read of wrk, and the ratios."""

import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import grpc_client
from benchmarks.serving import load as loads
from benchmarks.serving.load import LoadError, Seen
from benchmarks.serving.models import made_models
from benchmarks.serving.peers import CONTROL, OURS, PROGRAMS, SERVERS
from benchmarks.serving.processes import StartError, Tree, running
from benchmarks.serving.results import BURDENS, GOALS, Cell, Goal, Result
from benchmarks.serving.wire_forms import BENTO, INVOCATIONS, LITSERVE, OPEN_INFERENCE
from benchmarks.serving.wire_forms import ROWS as BY_NAME
from benchmarks.serving.wires import document_of, file_of, message_of
from serinus_runtime.server import open_inference_pb2 as messages

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (OPEN_INFERENCE, {"outputs": [{"name": "prediction", "data": [0, 1, 2]}]}),
        (INVOCATIONS, {"predictions": [0, 1, 2]}),
        (LITSERVE, {"predictions": [0, 1, 2]}),
        (BY_NAME, {"predictions": [{"value": 0}, {"value": 1}, {"value": 2}]}),
        (BENTO, [0, 1, 2]),
    ],
)
def test_each_form_finds_the_predictions(form, answer) -> None:
    assert form.predictions(answer) == [0, 1, 2]
    assert form.path("iris").startswith("/")


def test_a_tensor_has_its_shape() -> None:
    (tensor,) = OPEN_INFERENCE.request(ROWS)["inputs"]

    assert tensor["shape"] == [3, 2]
    assert tensor["data"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_each_server_has_a_lock_and_each_program_a_server() -> None:
    locks = {server.lock for server in SERVERS if server.lock is not None}

    assert {path.stem for path in (ROOT / "hack/requirements/peers").glob("*.txt")} == locks
    assert {OURS, CONTROL} <= {server.name for server in SERVERS}
    assert {goal.other for goal in GOALS} <= {server.name for server in SERVERS}
    named = (Path(__file__).parents[3] / "hack/benchmarks/serving/peers.py").read_text()
    assert [path.name for path in PROGRAMS.glob("*.py") if path.stem not in named] == []


def cell(per_second: float) -> Cell:
    return Cell(Seen(round(per_second * 10), 10.0, 1.0, 2.0, 0), 5.0)


def test_a_ratio_is_ours_over_theirs() -> None:
    goal = Goal("iris", "KServe", (1, 16), 15)
    ours = Result(OURS, "iris", cells={(1, 16): cell(9000)})
    theirs = Result("KServe", "iris", cells={(1, 16): cell(500)})

    figure = goal.figure([ours, theirs])

    assert figure is not None
    assert figure.measured == pytest.approx(18)
    assert figure.reached


def test_who_didnt_start_has_no_ratio() -> None:
    goal = Goal("iris", "KServe", (1, 16), 15)

    assert (
        goal.figure([Result(OURS, "iris", cells={(1, 16): cell(9)}), Result("KServe", "iris")])
        is None
    )


def said_by_wrk(text: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Seen:
    ended = subprocess.CompletedProcess([], 0, stdout=text, stderr="no route")
    monkeypatch.setattr(loads.subprocess, "run", lambda *_, **__: ended)
    return loads.load("http://pod", [{"a": 1}], folder, connections=1, seconds=1)


def test_what_wrk_saw_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = said_by_wrk("Running\nRESULT 300 3.000000 0.100000 0.250000 2\n", monkeypatch, tmp_path)

    assert seen == Seen(300, 3.0, 0.1, 0.25, 2)
    assert seen.per_second == pytest.approx(100)
    assert (tmp_path / "bodies.jsonl").read_text() == '{"a":1}'


def test_a_wrk_that_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no route"):
        said_by_wrk("unable to connect", monkeypatch, tmp_path)


def test_a_burden_is_our_share_of_theirs() -> None:
    ours = Result(OURS, "iris", start_seconds=0.5, pss_mb=40, cells={(1, 16): cell(9000)})
    theirs = Result("KServe", "iris", start_seconds=2.0, pss_mb=80, cells={(1, 16): cell(500)})

    found = [burden.figure([ours, theirs]) for burden in BURDENS]

    assert [figure and figure.measured for figure in found] == [0.5, 0.25, None]
    assert [figure.reached for figure in found if figure] == [True, True]


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone, or only waits to be told of, within seconds."""
    state = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not state.exists() or state.read_text().split()[2] == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_tree_counts_its_children_and_is_ended_with_them(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('child', 'w').write(str(child.pid)); time.sleep(60)\n"
    )
    child = tmp_path / "child"

    def answers() -> bool:
        return child.exists() and child.read_text() != ""

    with running([sys.executable, "-c", program], tmp_path / "log", answers, {}) as tree:
        pid = int(child.read_text())
        assert pid in tree.pids()
        assert tree.pss_mb() > 1
        assert tree.cpu_seconds() > 0
        assert tree.start_seconds > 0

    assert ends(pid)
    assert Tree(pid).pss_mb() == 0


def test_a_server_that_ends_is_told_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(StartError, match="no such model"),
        running(
            [sys.executable, "-c", "print('no such model')"], tmp_path / "log", lambda: False, {}
        ),
    ):
        pass


def test_messages_are_written_one_after_the_other_and_read_again(tmp_path: Path) -> None:
    bodies = [OPEN_INFERENCE.request(ROWS[:count]) for count in (1, 2, 3)]
    file = tmp_path / "messages"
    file.write_bytes(file_of("/iris", bodies))

    found = list(grpc_client.messages(file.read_bytes()))

    assert found == [message_of("/iris", body) for body in bodies]


def test_a_message_says_what_json_says() -> None:
    request = messages.ModelInferRequest.FromString(
        message_of("/iris", OPEN_INFERENCE.request(ROWS))
    )

    assert (request.model_name, list(request.inputs[0].shape)) == ("iris", [3, 2])
    assert list(request.inputs[0].contents.fp64_contents) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    "answer",
    [
        {"outputs": [{"name": "y", "datatype": "INT64", "contents": {"int64_contents": [0, 2]}}]},
        {"outputs": [{"name": "y", "datatype": "INT32", "contents": {"int_contents": [0, 2]}}]},
        {
            "outputs": [{"name": "y", "datatype": "INT64"}],
            "raw_output_contents": [struct.pack("<2q", 0, 2)],
        },
    ],
)
def test_each_way_to_answer_a_message_is_read(answer: dict[str, Any]) -> None:
    document = document_of(messages.ModelInferResponse(**answer).SerializeToString())

    assert OPEN_INFERENCE.predictions(document) == [0, 2]


@pytest.mark.slow
def test_the_models_are_compiled_and_answer_as_scikit_learn_does(tmp_path: Path) -> None:
    models = made_models(tmp_path)

    assert {name: model.packaged.kind for name, model in models.items()} == {
        "iris": "linear",
        "forest": "forest",
    }
    assert all(model.packaged.equality.mismatches == 0 for model in models.values())
