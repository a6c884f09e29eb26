"""Simulations of hack/bench are found where hack/bench finds them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "hack"))
