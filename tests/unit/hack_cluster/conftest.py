"""Scripts in hack/ are no distribution: their package is found from here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "hack"))
