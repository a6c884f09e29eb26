"""Which hooks there are: declared for the whole installation, addresses in mounted Secrets.

A Deployment chooses among these by name and can name no address: whoever may write a Deployment
can't make the operator call anything. Nor can it say what is sent along: receivers such as
Flagger's load tester run what `metadata` tells them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field, TypeAdapter

from serinus.api.declared import each_by_its_name, is_for
from serinus.api.hooks import HOOK_NAME_PATTERN, HookType
from serinus.api.schema_model import ApiModel

INTERVAL_MIN_SECONDS = 5
INTERVAL_MAX_SECONDS = 3600
TIMEOUT_MAX_SECONDS = 60


class DeclaredHook(ApiModel):
    """One that may be asked.

    Attributes
    ----------
    url_file
        Holds the address, which may be a secret; read each time, as Secrets are rotated.
    headers_file
        Holds lines `Name: value` that are sent along; None: none are.
    types
        What it may be asked.
    namespaces
        About which Deployments; empty: about all.
    metadata
        Sent along, for receivers that expect some.
    interval_seconds
        From one answer to the next question, give or take a tenth.
    timeout_seconds
        How long an answer is waited for.
    """

    name: str = Field(pattern=HOOK_NAME_PATTERN)
    url_file: Path
    headers_file: Path | None = None
    types: tuple[HookType, ...] = Field(default=tuple(HookType), min_length=1)
    namespaces: tuple[str, ...] = ()
    metadata: dict[str, str] = Field(default_factory=dict)
    interval_seconds: float = Field(default=30, ge=INTERVAL_MIN_SECONDS, le=INTERVAL_MAX_SECONDS)
    timeout_seconds: float = Field(default=10, gt=0, le=TIMEOUT_MAX_SECONDS)


_HOOKS = TypeAdapter(tuple[DeclaredHook, ...])


def hooks_of(text: str) -> tuple[DeclaredHook, ...]:
    """The hooks that a JSON list describes.

    Raises
    ------
    ValueError
        If it describes none that could be used.
    """
    return each_by_its_name(_HOOKS.validate_json(text or "[]"), called="hooks")


def types_by_name(
    hooks: Iterable[DeclaredHook], namespace: str
) -> Mapping[str, frozenset[HookType]]:
    """What a Deployment of the namespace may name, and ask."""
    return {one.name: frozenset(one.types) for one in hooks if is_for(one, namespace)}
