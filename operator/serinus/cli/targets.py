"""Which object a command is about: `NAME`, `KIND NAME` or `KIND/NAME`."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.api.enums import PLURALS, Kind
from serinus.cli.errors import CommandError

_SHORT = {
    "fset": Kind.FEATURE_SET,
    "fs": Kind.FEATURE_SET,
    "tjob": Kind.TRAINING_JOB,
    "tj": Kind.TRAINING_JOB,
    "mver": Kind.MODEL_VERSION,
    "mv": Kind.MODEL_VERSION,
    "mdep": Kind.DEPLOYMENT,
    "modeldeployment": Kind.DEPLOYMENT,
    "deployments": Kind.DEPLOYMENT,
}
KIND_NAMES: dict[str, Kind] = {
    **_SHORT,
    **{plural: kind for kind, plural in PLURALS.items()},
    **{kind.value.lower(): kind for kind in Kind},
}
"""All words for the kinds, in lower case."""


def kind_named(word: str) -> Kind:
    """The kind that a word stands for.

    Raises
    ------
    CommandError
        If it stands for none.
    """
    kind = KIND_NAMES.get(word.lower())
    if kind is None:
        known = ", ".join(f"{kind.value} ({short})" for short, kind in _LISTED.items())
        raise CommandError(f"`{word}` is no kind of Serinus", f"kinds: {known}")
    return kind


def target(words: Sequence[str], *, default: Kind | None) -> tuple[Kind, str]:
    """Kind and name that the words of a command stand for; `default` is for a name alone.

    Raises
    ------
    CommandError
        If they stand for no object.
    """
    parts = words[0].split("/", 1) if len(words) == 1 else list(words)
    if len(parts) == 1 and default is not None:
        return default, parts[0]
    if len(parts) != 2 or not all(parts):
        raise CommandError(
            f"`{' '.join(words)}` names no object", "write `KIND NAME` or `KIND/NAME`"
        )
    return kind_named(parts[0]), parts[1]


_LISTED = {short: kind for short, kind in _SHORT.items() if len(short) == 4}
