"""The demo's package is found where hack/demo finds it."""

import sys
from pathlib import Path

HACK = Path(__file__).parents[3] / "hack"
sys.path.insert(0, str(HACK))
