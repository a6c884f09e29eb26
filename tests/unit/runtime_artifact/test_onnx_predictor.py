"""The ONNX form as a predictor: prepared columns in, answers out, and nothing beside."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.onnx_predictor import ROWS_AT_ONCE, OnnxPredictor
from serinus_runtime.artifact.plan import Impute, Select
from tests.support.onnx_files import bytes_of, product

WEIGHTS = np.arange(1.0, 7.0).reshape(3, 2)
CONTENT = bytes_of(product(WEIGHTS))
ROWS = np.random.default_rng(0).normal(size=(2 * ROWS_AT_ONCE + 7, 3))


@pytest.mark.parametrize("count", [1, 2, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, len(ROWS)])
def test_rows_however_many_are_answered_in_order(count: int) -> None:
    answers = OnnxPredictor((), CONTENT).answers(ROWS[:count])

    assert answers.dtype == np.float64
    np.testing.assert_allclose(answers, ROWS[:count] @ WEIGHTS, rtol=1e-12)


def test_columns_are_prepared_before_they_go_in() -> None:
    operations = (Select(np.array([2, 0, 1], dtype=np.int32)), Impute(np.array([9.0, 8.0, 7.0])))

    answers = OnnxPredictor(operations, CONTENT).answers(np.array([[1.0, np.nan, 3.0]]))

    np.testing.assert_allclose(answers, np.array([[3.0, 1.0, 7.0]]) @ WEIGHTS)


def test_parts_that_dont_fit_each_other_are_refused() -> None:
    model = product(WEIGHTS)
    model.graph.node[0].input[1] = "nowhere"

    with pytest.raises(FormatRefused, match=r"model\.onnx: can't be read"):
        OnnxPredictor((), bytes_of(model))


@pytest.mark.slow
def test_it_starts_no_threads_and_imports_no_scikit_learn() -> None:
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from tests.unit.runtime_artifact.test_onnx_predictor import CONTENT, ROWS\n"
        "from serinus_runtime.artifact.onnx_predictor import OnnxPredictor\n"
        "before = len(list(Path('/proc/self/task').iterdir()))\n"
        "OnnxPredictor((), CONTENT).answers(ROWS)\n"
        "after = len(list(Path('/proc/self/task').iterdir()))\n"
        "print(after - before, 'sklearn' in sys.modules, 'onnx' in sys.modules)\n"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["0", "False", "False"]


def test_threads_may_share_it() -> None:
    predictor = OnnxPredictor((), CONTENT)
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: found.append(predictor.answers(ROWS))) for _ in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert all((answers == found[0]).all() for answers in found)
