"""The walk down all branches in C: what gets a kernel."""

from dataclasses import replace

import numpy as np
import pytest

from serinus_runtime.artifact.tree_contributions import TreeContributions
from serinus_runtime.kernel import contribution_kernel as module
from serinus_runtime.kernel.contribution_kernel import contribution_kernel
from tests.support.random_forests import Shape, random_forest, random_rows

FOREST = random_forest(Shape(n_outputs=2, categories=True), seed=1)


def explained() -> TreeContributions:
    assert FOREST.cover is not None
    return TreeContributions(FOREST, FOREST.cover)


def test_a_forest_whose_tables_fit_has_a_kernel() -> None:
    assert contribution_kernel(explained()) is not None


def test_tables_that_could_lead_out_of_an_array_have_none() -> None:
    one = explained()
    object.__setattr__(one, "forest", replace(FOREST, feature=FOREST.feature + 10_000))

    assert contribution_kernel(one) is None


def test_a_depth_below_none_has_none() -> None:
    one = explained()
    object.__setattr__(one, "forest", replace(FOREST, depth=-1))

    assert contribution_kernel(one) is None


def test_rows_that_were_extended_otherwise_are_refused() -> None:
    kernel = contribution_kernel(explained())
    extended = FOREST.extended(random_rows(3, FOREST.n_features, seed=2))
    assert kernel is not None

    with pytest.raises(ValueError, match=r"rows: expected \d+ cells each, got"):
        kernel.contributions(extended[:, :-1])


@pytest.mark.parametrize("found", [None, object()], ids=["no library", "a library without it"])
def test_without_the_function_numpy_does_the_same(
    found: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = random_rows(5, FOREST.n_features, seed=2)
    in_c = explained().of(rows)
    monkeypatch.setattr(module, "library", lambda: found)

    in_numpy = explained().of(rows)

    np.testing.assert_allclose(in_numpy, in_c, rtol=0, atol=1e-12)
