"""What a person has to change: the run is published as failed and not tried again.

    UserError
    ├── SourceError        a source can't be used: its files, their format, their content
    ├── TransformError     the SQL can't run, reaches for what it may not, or isn't repeatable
    ├── FutureLeak         the transform uses values that weren't known when it was asked
    ├── ColumnError        a column is missing or has another type than the spec says
    ├── SnapshotError      a snapshot isn't there or was changed
    ├── TrainerError       estimator, parameters or features don't fit
    └── LabelError         the label can't be learnt

Errors of the machinery (`OSError`, no memory) are none of these: the pod fails, Kubernetes retries.
"""

from __future__ import annotations

from typing import ClassVar

from serinus.api.enums import Outcome, Reason


class UserError(Exception):
    """The spec or the data is wrong; `reason` is the word for status, the text says what to do."""

    reason: ClassVar[str] = Reason.INVALID_SPEC.value
    outcome: ClassVar[Outcome] = Outcome.FAILED


class SourceError(UserError):
    """A source can't be used; the text names it and its address."""

    reason = "SourceUnreadable"


class TransformError(UserError):
    """The transform can't run."""

    reason = "TransformFailed"


class FutureLeak(UserError):
    """The transform looks into the future."""

    reason = "FutureLeak"
    outcome = Outcome.REJECTED


class ColumnError(UserError):
    """A column is missing or has another type."""

    reason = "ColumnMismatch"


class SnapshotError(UserError):
    """A snapshot isn't there or was changed."""

    reason = "SnapshotUnreadable"


class TrainerError(UserError):
    """The estimator can't be made or trained as asked."""

    reason = "TrainerInvalid"


class LabelError(UserError):
    """The label can't be learnt."""

    reason = "LabelInvalid"
