from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.feature_sets import DataPlane
from tests.support.user_sql import LockedEngine


@pytest.fixture
def plane(tmp_path: Path) -> DataPlane:
    """A data plane with an airline's flights in its data folder."""
    plane = DataPlane(tmp_path)
    plane.put_flights()
    return plane


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedEngine]:
    """An engine in which only SELECTs of users may run any more."""
    locked = LockedEngine(tmp_path_factory.mktemp("spill"))
    yield locked
    locked.engine.close()
