from pathlib import Path

import pytest

from tests.support.feature_sets import DataPlane


@pytest.fixture
def plane(tmp_path: Path) -> DataPlane:
    """A data plane with an airline's flights in its data folder."""
    plane = DataPlane(tmp_path)
    plane.put_flights()
    return plane
