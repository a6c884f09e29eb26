"""The benchmark's package is found where hack/bench finds it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "hack"))
