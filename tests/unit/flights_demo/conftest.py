"""The demo's package is found where hack/demo finds it, and runs on the loop that its pods use."""

import sys
from pathlib import Path

import pytest
import uvloop

HACK = Path(__file__).parents[3] / "hack"
sys.path.insert(0, str(HACK))


@pytest.fixture(scope="session")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()
