"""Rows need their function; what it answers is in `runtime_server/test_usual_rows.py`."""

from typing import Any, cast

import pytest

from serinus_runtime.kernel import rows_kernel as module
from serinus_runtime.kernel.rows_kernel import RowTables, rows_kernel


@pytest.mark.parametrize("found", [None, object()], ids=["no library", "a library without it"])
def test_without_the_function_there_is_no_kernel(
    found: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "short_calls", lambda: found)

    assert rows_kernel(cast("Any", None), cast("RowTables", None)) is None
