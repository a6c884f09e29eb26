"""An environment of its own for each server of others, made of its lock at first use."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LOCKS = ROOT / "hack" / "requirements" / "peers"


def environment_python(lock: str) -> Path:
    """The interpreter; the environment is made again when the lock has changed."""
    file = LOCKS / f"{lock}.txt"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    folder = ROOT / ".serinus" / f"peer-{lock}-{digest}"
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        print(f"installing {file.relative_to(ROOT)} …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]
        subprocess.run([python, "-m", "pip", "install", *options, "-r", file], check=True)
        done.touch()
    return python
