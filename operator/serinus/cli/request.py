"""What a person asks for, as the annotation `serinus.dev/request` wants it.

The admission policy of the chart reads the annotation as text, so its form is exact: no spaces,
no escapes, each of `actor` and `verb` once.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from serinus.api.enums import Kind, Verb
from serinus.cli.errors import CommandError, RefusedError
from serinus.cli.objects import DeploymentDetails, Resource

REASON_MAX_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `revision` is empty for kinds that have none."""

    actor: str
    verb: Verb
    uid: str
    revision: str
    nonce: str
    issued_at: datetime
    reason: str

    def text(self) -> str:
        """Value of the annotation.

        Raises
        ------
        CommandError
            If the actor's name can't be written without an escape.
        """
        if _needs_escape(self.actor):
            raise CommandError(
                f"the API server knows you as {self.actor!r}, which can't stand in a request",
                "act as a user whose name has no quotes, backslashes and control characters",
            )
        members = {
            "actor": self.actor,
            "verb": self.verb.value,
            "uid": self.uid,
            "revision": self.revision,
            "nonce": self.nonce,
            "issuedAt": self.issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "reason": self.reason,
        }
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def plain_reason(text: str) -> str:
    """The reason on one line and without characters that JSON would escape.

    Raises
    ------
    CommandError
        If it is too long.
    """
    quoted = text.replace('"', "'").replace("\\", "/")
    line = " ".join("".join(" " if _needs_escape(one) else one for one in quoted).split())
    if len(line) > REASON_MAX_LENGTH:
        raise CommandError(
            f"--reason: {len(line)} characters; at most {REASON_MAX_LENGTH} are kept",
            "say it shorter, and put the rest where a link leads",
        )
    return line


def revision_for(verb: Verb, resource: Resource) -> str:
    """The revision that the request names; empty for kinds that have none.

    Raises
    ------
    RefusedError
        If the object as it is has nothing that the verb could be about.
    """
    details = resource.details
    if not isinstance(details, DeploymentDetails):
        return ""
    if verb is Verb.RETRY:
        wanted = details.update_revision
        if wanted in {one.revision for one in details.rejected}:
            return wanted
        named = f"revision {wanted}, which the spec asks for, isn't" if wanted else "no revision is"
        raise RefusedError(f"{resource.name}: {named} rejected; there is nothing to retry")
    about_stable = (verb is Verb.ABORT and details.switched) or (
        verb is Verb.PROMOTE and details.judged_first
    )
    if details.canary is None and about_stable and details.stable:
        return details.stable.revision
    if details.canary is None:
        raise RefusedError(
            f"{resource.name}: no rollout runs; there is nothing to {verb}",
            f"`kubectl serinus get {Kind.DEPLOYMENT.value.lower()} {resource.name}` shows it",
        )
    return details.canary.revision


def _needs_escape(text: str) -> bool:
    return any(one in '"\\' or unicodedata.category(one) in ("Cc", "Cs") for one in text)
