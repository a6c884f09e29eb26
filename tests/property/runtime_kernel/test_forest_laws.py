"""Whatever the forest and the rows: C and NumPy give the same bits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.forest import Aggregation
from serinus_runtime.kernel.library import library
from tests.support.random_forests import Shape, random_forest, random_rows

shapes = st.builds(
    Shape,
    n_features=st.integers(1, 9),
    n_trees=st.integers(1, 19),
    n_outputs=st.integers(1, 4),
    depth=st.integers(0, 9),
    aggregation=st.sampled_from(Aggregation),
    single_precision=st.booleans(),
    categories=st.booleans(),
)


def bits(values: np.ndarray) -> bytes:
    return np.ascontiguousarray(values).tobytes()


def test_the_library_was_built() -> None:
    """Else nothing here would be tested: a C compiler is missing."""
    assert library() is not None


@given(shape=shapes, n_rows=st.integers(0, 33), seed=st.integers(0, 10_000))
def test_the_bits_are_numpys(shape: Shape, n_rows: int, seed: int) -> None:
    forest = random_forest(shape, seed)
    rows = random_rows(n_rows, shape.n_features, seed)
    with np.errstate(all="ignore"):
        expected = forest.raw_in_numpy(rows)

    assert bits(forest.raw(rows)) == bits(expected)


@given(shape=shapes, n_rows=st.integers(2, 33), seed=st.integers(0, 10_000))
def test_a_row_has_its_answer_whatever_rows_are_beside_it(
    shape: Shape, n_rows: int, seed: int
) -> None:
    forest = random_forest(shape, seed)
    rows = random_rows(n_rows, shape.n_features, seed)
    together = forest.raw(rows)

    alone = [forest.raw(rows[place : place + 1]) for place in range(n_rows)]
    assert bits(together) == bits(np.concatenate(alone))
