"""Answers of protocols that know nothing but predictions."""

import numpy as np
import pytest

from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.exchange import Answered
from serinus_runtime.server.plain_answers import plain_answer


@pytest.mark.parametrize(
    ("kind", "answers", "positions", "values"),
    [
        ("two_classes", [[0.8, 0.2], [0.1, 0.9]], [0, 1], [False, True]),
        ("three_classes", [[0.1, 0.8, 0.1]], [1], ["late"]),
        ("regression", [[2.5], [-1.0]], None, [2.5, -1.0]),
    ],
)
def test_each_row_gets_its_class_or_its_number(
    request: pytest.FixtureRequest,
    kind: str,
    answers: list[list[float]],
    positions: list[int] | None,
    values: list[object],
) -> None:
    packaged: Packaged = request.getfixturevalue(kind)
    model = load(packaged.path, packaged.digest)
    decided = None if positions is None else np.array(positions)

    told = plain_answer(model, "r1", Answered(np.array(answers), decided, "id"))

    assert told == {
        "predictions": values,
        "id": "id",
        "revision": "r1",
        "model": "flight-delay",
    }
