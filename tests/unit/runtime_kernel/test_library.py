"""Where the C library is, or isn't."""

from pathlib import Path

import pytest

from serinus_runtime.kernel import library as module
from serinus_runtime.kernel.forest_kernel import forest_kernel
from tests.support.random_forests import Shape, random_forest, random_rows


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the library is looked for."""
    monkeypatch.setattr(module, "__file__", str(tmp_path / "library.py"))
    module.library.cache_clear()
    return tmp_path


@pytest.fixture(autouse=True)
def found_again() -> object:
    yield
    module.library.cache_clear()


def test_where_none_was_built_numpy_answers(elsewhere: Path) -> None:
    assert module.library() is None
    forest = random_forest(Shape(), seed=1)

    assert forest_kernel(forest) is None
    assert forest.raw(random_rows(2, 5, seed=1)).shape == (2, 1)


def test_one_for_another_machine_is_passed_over(elsewhere: Path) -> None:
    (elsewhere / "_library.so").write_bytes(b"\x7fELF, of some other kind")

    assert module.library() is None


def test_the_one_that_was_built_has_the_walk() -> None:
    found = module.library()

    assert found is not None
    assert found.serinus_forest_raw is not None
