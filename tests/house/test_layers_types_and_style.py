"""The tools that read the code: configured in pyproject.toml, run here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["lint-imports"], id="the layers point one way"),
        pytest.param(["mypy"], id="the types are sound"),
        pytest.param(["ruff", "check", "--no-fix"], id="the style holds"),
        pytest.param(["ruff", "format", "--check"], id="the layout holds"),
    ],
)
@pytest.mark.timeout(300)  # mypy without its cache
def test_the_checker_has_nothing_to_say(command: list[str]) -> None:
    result = run(BIN / command[0], *command[1:])

    assert result.returncode == 0, f"`{' '.join(command)}`:\n{result.stdout}{result.stderr}"


def test_shell_scripts_parse_and_stop_at_the_first_error() -> None:
    scripts = [path for path in _files_in("hack", ".ci") if _is_bash(path)]

    broken = {str(path.relative_to(ROOT)): run("bash", "-n", path).stderr for path in scripts}
    careless = [
        str(path.relative_to(ROOT))
        for path in scripts
        if "set -euo pipefail" not in path.read_text()
    ]

    assert scripts
    assert not any(broken.values()), broken
    assert not careless, f"without `set -euo pipefail`: {careless}"


def _files_in(*folders: str) -> list[Path]:
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def _is_bash(path: Path) -> bool:
    first_line = path.read_bytes().split(b"\n", 1)[0]
    return first_line.startswith(b"#!") and b"bash" in first_line
