"""Running other programs to their end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from native_cluster.terminal import ClusterError


def run(
    component: str,
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float = 120,
) -> str:
    """Run `command` and return what it prints.

    Raises
    ------
    ClusterError
        If it fails or takes too long; the message has the end of what it said.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env={**os.environ, **env} if env else None,
            cwd=cwd,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise ClusterError(component, f"`{words[0]}` is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(
            component, f"`{' '.join(words[:4])}` took over {timeout_seconds:.0f} s"
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-3000:]
        raise ClusterError(
            component, f"`{' '.join(words[:6])}` ended with {done.returncode}: {said}"
        )
    return done.stdout


def succeeds(command: Sequence[str | Path], timeout_seconds: float = 60) -> bool:
    """Whether `command` exists and ends well."""
    try:
        run("check", command, timeout_seconds=timeout_seconds)
    except ClusterError:
        return False
    return True
