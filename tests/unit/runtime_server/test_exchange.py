"""What every form of prediction request keeps to."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.exchange import Answered, Form
from serinus_runtime.server.predict_rows import RowsForm
from serinus_runtime.server.protocol_v2 import TensorsForm
from tests.support.flight_requests import tensors
from tests.support.model_servers import REVISION
from tests.support.trained_models import encoded, flights

FORMS: list[tuple[Callable[[Model, str], Form], Callable[[list[Any]], dict[str, Any]]]] = [
    (RowsForm, lambda rows: {"rows": rows}),
    (TensorsForm, lambda rows: {"inputs": tensors(rows)}),
]


@pytest.mark.parametrize(("make", "document"), FORMS)
def test_a_form_counts_and_reads_rows_and_writes_the_id(
    two_classes: Packaged,
    make: Callable[[Model, str], Form],
    document: Callable[[list[Any]], dict[str, Any]],
) -> None:
    model = load(two_classes.path, two_classes.digest)
    form, rows = make(model, REVISION), flights(7, seed=9)

    asked = form.read(document(rows), RowEncoder(model.manifest.signature))
    answers = model.predictor.answers(asked.rows)
    written = form.written(asked, Answered(answers, model.decided(answers), "an id"))

    assert form.row_count(document(rows)) == 7
    assert np.array_equal(asked.rows, encoded(rows), equal_nan=True)
    assert "an id" in str(written)
    assert REVISION in str(written)
    assert form.rows_field in document(rows)
