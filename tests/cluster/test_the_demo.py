"""The README's demo, as a user starts it: five releases on real flights, unattended."""

import subprocess
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "hack" / "demo"
DEMO_SECONDS = 900


@pytest.mark.timeout(DEMO_SECONDS + 60)
def test_each_scene_ends_as_it_should_and_no_client_is_let_down() -> None:
    demo = subprocess.run(
        [str(DEMO)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )

    assert demo.returncode == 0, demo.stdout[-6000:] + demo.stderr[-3000:]
