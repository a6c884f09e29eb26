"""The way to the API server: `kubectl`, run as a program.

As a plugin of kubectl, this program always has one beside it. kubectl knows each way to log in
(certificates, tokens, exec plugins, proxies, impersonation), reads the same flags and files as the
user's other commands, and answers in 40 to 80 ms; an HTTP client of our own would take four times
as long to import, and would know a part of that. What commands need of it is the Protocol
`Cluster`, so that tests bring their own.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from serinus.cli.errors import ClusterError, CommandError, NotFoundError

JsonObject = Mapping[str, Any]

FIELD_MANAGER = "kubectl-serinus"
CALL_TIMEOUT_SECONDS = 60


class Cluster(Protocol):
    """What commands need of a cluster.

    Each call raises `NotFoundError` where the named object is missing, and `ClusterError` for
    everything else that the API server, or the way to it, answers with.
    """

    def get(self, resource: str, name: str) -> JsonObject:
        """One object of the current namespace."""
        ...

    def list(
        self, resources: Sequence[str], *, selector: str = "", all_namespaces: bool = False
    ) -> tuple[JsonObject, ...]:
        """All objects of these resources."""
        ...

    def annotate(self, resource: str, change: Annotation, *, dry_run: bool) -> None:
        """Change one annotation of the object that has this uid."""
        ...

    def user(self) -> str:
        """Who the API server takes us for."""
        ...

    def raw(self, path: str) -> str:
        """What the API server answers to GET of a path."""
        ...


@dataclass(frozen=True, slots=True)
class Annotation:
    """A new value of an annotation, for one object and no namesake of it."""

    namespace: str
    name: str
    uid: str
    key: str
    value: str

    def patch(self) -> str:
        """The merge patch."""
        metadata = {"uid": self.uid, "annotations": {self.key: self.value}}
        return json.dumps({"metadata": metadata}, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Kubectl:
    """The cluster that kubectl talks to.

    Attributes
    ----------
    namespace
        Empty: the one of the context.
    flags
        What is handed on to each call, such as `--context=…`.
    """

    namespace: str = ""
    flags: tuple[str, ...] = ()

    def get(self, resource: str, name: str) -> JsonObject:
        """One object of the current namespace."""
        found: JsonObject = json.loads(self._run("get", resource, name, *self._scope, "-o=json"))
        return found

    def list(
        self, resources: Sequence[str], *, selector: str = "", all_namespaces: bool = False
    ) -> tuple[JsonObject, ...]:
        """All objects of these resources."""
        scope = ("--all-namespaces",) if all_namespaces else self._scope
        chosen = (f"--selector={selector}",) if selector else ()
        answer = json.loads(self._run("get", ",".join(resources), *scope, *chosen, "-o=json"))
        return tuple(answer["items"])

    def annotate(self, resource: str, change: Annotation, *, dry_run: bool) -> None:
        """Change one annotation of the object that has this uid."""
        self._run(
            "patch",
            resource,
            change.name,
            f"--namespace={change.namespace}",
            "--type=merge",
            f"--field-manager={FIELD_MANAGER}",
            *(("--dry-run=server",) if dry_run else ()),
            f"--patch={change.patch()}",
            "-o=name",
        )

    def user(self) -> str:
        """Who the API server takes us for."""
        review = json.loads(self._run("auth", "whoami", "-o=json"))
        return str(review["status"]["userInfo"]["username"])

    def raw(self, path: str) -> str:
        """What the API server answers to GET of a path."""
        return self._run("get", f"--raw={path}")

    @property
    def _scope(self) -> tuple[str, ...]:
        return (f"--namespace={self.namespace}",) if self.namespace else ()

    def _run(self, *arguments: str) -> str:
        program = shutil.which("kubectl")
        if program is None:
            raise CommandError(
                "kubectl isn't on PATH", "install it; `serinus` reaches the cluster through it"
            )
        try:
            done = subprocess.run(
                [program, *self.flags, *arguments],
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=CALL_TIMEOUT_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterError(
                f"kubectl {arguments[0]} gave no answer in {CALL_TIMEOUT_SECONDS} s",
                "is the cluster reachable? `kubectl version` tells",
            ) from error
        if done.returncode:
            raise explained(done.stderr)
        return done.stdout


def explained(stderr: str) -> ClusterError:
    """What kubectl complained about, with what to do where that is known."""
    lines = [line for line in stderr.strip().splitlines() if '"Unhandled Error"' not in line]
    said = "\n".join(lines) or "kubectl failed and said nothing"
    message = re.sub(r"^(Error from server( \(\w+\))?|error): ", "", said, flags=re.MULTILINE)
    if "(NotFound)" in said:
        return NotFoundError(message, "`kubectl serinus list -A` shows what there is")
    hint = next((hint for sign, hint in _HINTS.items() if sign in said), "")
    return ClusterError(message, hint)


_HINTS = {
    "the server doesn't have a resource type": (
        "Serinus isn't installed in this cluster; its Helm chart is charts/serinus"
    ),
    "field is immutable": "the object was replaced in the meantime; look at it and ask again",
    "was refused": "is it the right cluster? `kubectl config current-context` tells",
    "(Forbidden)": "`kubectl auth can-i --list` shows what you may do",
    "denied request": "`kubectl auth can-i promote modeldeployments.serinus.dev` tells",
}
