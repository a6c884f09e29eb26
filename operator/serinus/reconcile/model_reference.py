"""Where a model reference leads: to the one ModelVersion that may serve, or why to none.

A version may serve once its condition `Ready` is true: verified, through its gates and, where that
is required, approved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from serinus.api.conditions import parse_time
from serinus.api.deployment import Channel, ModelReference
from serinus.api.enums import ConditionType, Phase, Reason
from serinus.api.modelversion import ModelVersion
from serinus.reconcile.decision import JsonObject


@dataclass(frozen=True, slots=True)
class Resolved:
    """The version that the reference leads to."""

    version: ModelVersion


@dataclass(frozen=True, slots=True)
class Running:
    """A version that runs; it was chosen at `since` at the latest, None: nobody knows when."""

    version: str
    since: str | None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why the reference leads to no version; `message` names what is waited for.

    `version` is the one that can't be used or doesn't exist; empty when none is meant.
    """

    reason: Reason
    message: str
    version: str = ""

    @property
    def needs_a_person(self) -> bool:
        """Whether waiting won't help."""
        return self.reason in _FOR_A_PERSON


Resolution = Resolved | Unresolved

_FOR_A_PERSON = (Reason.ALIAS_CONFLICT, Reason.INVALID_SPEC, Reason.MODEL_VERSION_REJECTED)


def parsed_version(body: JsonObject) -> ModelVersion | None:
    """The ModelVersion; None where it can't be read, or is on its way out: that is gone already."""
    try:
        version = ModelVersion.model_validate(body)
    except ValidationError:
        return None
    return version if version.metadata.deletion_timestamp is None else None


def resolved(
    reference: ModelReference, versions: Sequence[ModelVersion], *, running: Sequence[Running] = ()
) -> Resolution:
    """Where `reference` leads; `running` are the versions that run, the newest choice first."""
    if reference.channel is not None:
        return _of_channel(reference.channel, versions, running)
    name = reference.version_ref.name if reference.version_ref else ""
    found = next((one for one in versions if one.metadata.name == name), None)
    if found is not None:
        return _if_it_may_serve(found)
    if any(one.version == name for one in running):
        return _gone(name)
    return Unresolved(
        Reason.WAITING_FOR_MODEL_VERSION,
        f"spec.model.versionRef: ModelVersion `{name}` doesn't exist in this namespace; waits "
        "until it does",
        name,
    )


def is_gone(name: str, versions: Iterable[ModelVersion]) -> bool:
    """Whether no ModelVersion `name` exists any more."""
    return all(one.metadata.name != name for one in versions)


def is_rejected(name: str, versions: Iterable[ModelVersion]) -> bool:
    """Whether the ModelVersion `name` exists and is rejected."""
    return any(one.metadata.name == name and one.status.phase == Phase.REJECTED for one in versions)


def _of_channel(
    channel: Channel, versions: Sequence[ModelVersion], running: Sequence[Running]
) -> Resolution:
    of_model = [one for one in versions if one.spec.model_name == channel.model_name]
    if channel.alias is not None:
        return _of_alias(channel.model_name, channel.alias, of_model)
    ready = [one for one in of_model if _is_ready(one)]
    if not ready:
        message = f"waits for a version of model `{channel.model_name}` that is ready and approved"
        return Unresolved(Reason.CHANNEL_EMPTY, message)
    newest = max(ready, key=_age_order)
    if running and is_gone(running[0].version, versions) and not _is_newer(newest, running[0]):
        return _gone(running[0].version)  # what is left is older: nothing goes back by a deletion
    return Resolved(newest)


def _gone(name: str) -> Unresolved:
    message = f"ModelVersion `{name}` doesn't exist any more; what it gave goes on serving"
    return Unresolved(Reason.MODEL_VERSION_NOT_FOUND, message, name)


def _is_newer(version: ModelVersion, running: Running) -> bool:
    """Whether the version was made after the one that runs was chosen."""
    created = version.metadata.creation_timestamp
    if running.since is None or created is None:
        return False
    try:
        return parse_time(created) > parse_time(running.since)
    except ValueError:
        return False


def _of_alias(model_name: str, alias: str, versions: Sequence[ModelVersion]) -> Resolution:
    bearing = sorted(
        (one for one in versions if alias in one.spec.aliases), key=lambda one: one.metadata.name
    )
    if not bearing:
        message = f"waits for a version of model `{model_name}` with the alias `{alias}`"
        return Unresolved(Reason.CHANNEL_EMPTY, message)
    if len(bearing) > 1:
        names = " and ".join(f"`{one.metadata.name}`" for one in bearing)
        message = f"{names} both bear the alias `{alias}`; take it from all but one"
        return Unresolved(Reason.ALIAS_CONFLICT, message)
    return _if_it_may_serve(bearing[0])


def _if_it_may_serve(version: ModelVersion) -> Resolution:
    name = version.metadata.name
    if version.status.phase == Phase.REJECTED:
        why = f": {version.status.message}" if version.status.message else ""
        message = f"ModelVersion `{name}` is rejected and is never served{why}"
        return Unresolved(Reason.MODEL_VERSION_REJECTED, message, name)
    if not _is_ready(version):
        why = f": {version.status.message}" if version.status.message else ""
        message = f"waits for ModelVersion `{name}`, which isn't ready{why}"
        return Unresolved(Reason.WAITING_FOR_MODEL_VERSION, message, name)
    return Resolved(version)


def _is_ready(version: ModelVersion) -> bool:
    return version.status.phase != Phase.REJECTED and any(
        one.type == ConditionType.READY and one.status == "True"
        for one in version.status.conditions
    )


def _age_order(version: ModelVersion) -> tuple[str, list[tuple[int, str]]]:
    """By creation; those of one second by the numbers in their names."""
    parts = re.findall(r"\d+|\D+", version.metadata.name)
    by_number = [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
    return version.metadata.creation_timestamp or "", by_number
