"""The benchmarks are found where hack/bench finds them."""

import sys
from pathlib import Path

HACK = Path(__file__).parents[3] / "hack"
sys.path.insert(0, str(HACK))
