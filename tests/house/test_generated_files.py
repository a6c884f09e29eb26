"""What is generated is what the models say; `hack/generate` brings it up to date."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_generated_files_are_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "generators", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "hack")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, f"{checked.stdout}{checked.stderr}\nRun: hack/generate"
