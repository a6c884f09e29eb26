"""Python environments of their own for what others wrote, each made from its lock."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "hack" / "requirements"


def client_python(name: str = "clients") -> Path:
    """The interpreter of the environment; made at first use, and again when its lock changes.

    Workers that want it at the same time wait for the one that makes it.
    """
    file = LOCKS / f"{name}.txt"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    folder = ROOT / ".serinus" / f"{name}-{digest}"
    done, python = folder / "complete", folder / "bin" / "python"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            options = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-compile")
            hashed = ("--require-hashes", "--only-binary", ":all:", "-r", str(file))
            _run(str(python), "-m", "pip", "install", *options, *hashed)
            done.touch()
    return python


def _run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(command)}:\n{ended.stdout}{ended.stderr}"
