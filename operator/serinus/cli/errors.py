"""What ends a command, and the exit codes.

CommandError          the command can't do its work: usage, cluster, rights (exit 3)
├── RefusedError      what was asked for makes no sense for the object as it is (exit 1)
└── ClusterError      the API server, or the way to it, says no
    └── NotFoundError the object isn't there
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script can tell from the end of a command."""

    OK = 0
    """Done; or the object is healthy."""
    BAD = 1
    """Refused; or the object is degraded, failed or stalled."""
    UNSETTLED = 2
    """Not decided yet, or not in time."""
    FAILED = 3
    """The command couldn't find out: wrong usage, no cluster, no such object, no right."""


class CommandError(Exception):
    """What was wrong, and what to do about it."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)


class RefusedError(CommandError):
    """What was asked for makes no sense for the object as it is."""

    exit_code = ExitCode.BAD


class ClusterError(CommandError):
    """The API server, or the way to it, says no."""


class NotFoundError(ClusterError):
    """The object isn't there."""
