"""Whatever the forest and the rows: C and NumPy give the same bits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.forest import Aggregation, Forest
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


@given(shape=shapes, n_rows=st.integers(0, 70), seed=st.integers(0, 10_000))
def test_the_bits_are_numpys(shape: Shape, n_rows: int, seed: int) -> None:
    forest = random_forest(shape, seed)
    rows = random_rows(n_rows, shape.n_features, seed)
    with np.errstate(all="ignore"):
        expected = forest.raw_in_numpy(rows)

    assert bits(forest.raw(rows)) == bits(expected)


@given(shape=shapes, n_rows=st.integers(2, 70), seed=st.integers(0, 10_000))
def test_a_row_has_its_answer_whatever_rows_are_beside_it(
    shape: Shape, n_rows: int, seed: int
) -> None:
    forest = random_forest(shape, seed)
    rows = random_rows(n_rows, shape.n_features, seed)
    together = forest.raw(rows)

    alone = [forest.raw(rows[place : place + 1]) for place in range(n_rows)]
    assert bits(together) == bits(np.concatenate(alone))


@given(threshold=st.floats(allow_nan=False), cells=st.lists(st.floats(), min_size=1))
def test_a_rounded_threshold_answers_floats_as_the_threshold_does(
    threshold: float, cells: list[float]
) -> None:
    """Also those that are next to it, on either side."""
    with np.errstate(over="ignore"):
        beside = np.nextafter(np.float32(threshold), np.array([-np.inf, np.inf], np.float32))
        rows = np.array([*cells, threshold, *beside]).astype(np.float32).astype(np.float64)
    forest = single_split(threshold)

    assert forest.kernel is not None
    assert not forest.kernel.trees.is_wide
    assert forest.raw(rows[:, np.newaxis])[:, 0].tolist() == (rows > threshold).tolist()


def single_split(threshold: float) -> Forest:
    """A tree that says 1 of what is above the threshold, else 0."""
    return Forest(
        n_features=1,
        depth=1,
        aggregation=Aggregation.MEAN,
        single_precision=True,
        feature=np.array([0, 2, 2], dtype=np.int32),
        threshold=np.array([threshold, np.inf, np.inf]),
        left=np.array([1, 1, 2], dtype=np.int32),
        value=np.array([[0.0], [0.0], [1.0]]),
        roots=np.zeros(1, dtype=np.int32),
        baseline=np.zeros(1),
        category_feature=np.zeros(0, dtype=np.int32),
        category_second=np.zeros((0, 257), dtype=np.bool_),
    )
