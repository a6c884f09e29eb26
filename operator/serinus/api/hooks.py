"""Hooks of a release: who outside is asked before a promotion, and who may end a rollout.

An object names hooks and can name no address: what is called is declared for the whole
installation, so that whoever may write a Deployment can't make the operator call anything.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from serinus.api.schema_model import ApiModel

HOOKS_MAX = 8
HOOK_NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
TOLD_MAX_LENGTH = 256

HookName = Annotated[str, StringConstraints(pattern=HOOK_NAME_PATTERN, max_length=40)]
"""Name of a declared hook."""


class HookType(StrEnum):
    """What a hook is asked, in Flagger's words."""

    CONFIRM_PROMOTION = "confirm-promotion"
    """Whether a canary that may be promoted shall be: it waits for a yes."""
    ROLLBACK = "rollback"
    """Whether a rollout shall end: a yes rolls back."""


class HookAnswer(StrEnum):
    """What a hook said when it was last asked."""

    YES = "yes"
    """HTTP 2xx."""
    NO = "no"
    """Any other status."""
    NOTHING = "nothing"
    """It is down, hangs or isn't declared: that is never a yes, and never harm."""


class ReleaseHook(ApiModel):
    """A hook that is asked during a release."""

    type: HookType = Field(
        description="confirm-promotion: a canary that may be promoted waits until the hook answers "
        "with HTTP 2xx. rollback: HTTP 2xx rolls back, anything else does nothing."
    )
    name: HookName = Field(
        description="Name of the hook, as the chart's value `hooks` declares it."
    )


class HookStatus(ApiModel):
    """A hook that is being asked, and what it says."""

    type: str = Field(max_length=32, description="What it is asked.")
    name: str = Field(max_length=40, description="Name of the hook.")
    asked_since: str = Field(
        max_length=40,
        description="Since when it is asked; an answer to an earlier question is void.",
    )
    answer: str | None = Field(
        default=None,
        max_length=16,
        description="yes, no or nothing; left out before it was asked once.",
    )
    answered_since: str | None = Field(
        default=None, max_length=40, description="Since when it answers so."
    )
    message: str = Field(
        default="", max_length=TOLD_MAX_LENGTH, description="What it said, for a person."
    )
