"""The real cluster as tests speak to it: kubectl, conditions awaited with a deadline.

A condition that doesn't come fails with what a person would look at first: the object's status,
the namespace's events and the operator's last lines.
"""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

POLL_SECONDS = 0.5
OPERATOR_NAMESPACE = "serinus-system"
JsonObject = dict[str, Any]


class KubectlError(AssertionError):
    """kubectl ended with an error; the message is what it said."""


def kubectl(*words: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
    """Run kubectl and return what it prints.

    Raises
    ------
    KubectlError
        If it fails.
    """
    done = subprocess.run(
        ["kubectl", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode:
        raise KubectlError(done.stderr.strip() or done.stdout.strip())
    return done.stdout


@dataclass(frozen=True)
class Namespace:
    """One namespace of the cluster, made by and for one test."""

    name: str

    def kubectl(self, *words: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
        """Run kubectl in this namespace."""
        return kubectl("-n", self.name, *words, stdin=stdin, timeout_seconds=timeout_seconds)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects as a user does."""
        body = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def create(self, *objects: Mapping[str, Any]) -> None:
        """Create objects that are too large for the annotation that `apply` leaves."""
        body = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("create", "-f", "-", stdin=json.dumps(body))

    def refusal(self, manifest: Mapping[str, Any]) -> str:
        """What the API server says against the manifest; fails if it takes it."""
        try:
            self.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
        except KubectlError as error:
            return str(error)
        raise AssertionError(f"accepted: {json.dumps(manifest)[:500]}")

    def get(self, resource: str, name: str) -> JsonObject:
        """Read an object; {} if there is none."""
        text = self.kubectl("get", resource, name, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else {}

    def list(self, resource: str, selector: str = "") -> list[JsonObject]:
        """Read all objects of a resource."""
        options = ["-l", selector] if selector else []
        items: list[JsonObject] = json.loads(self.kubectl("get", resource, *options, "-o", "json"))[
            "items"
        ]
        return items

    def wait_for(
        self,
        resource: str,
        name: str,
        what: str,
        holds: Callable[[JsonObject], bool],
        timeout_seconds: float = 120,
    ) -> JsonObject:
        """Wait until the object `holds`; `what` says it in words."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            found = self.get(resource, name)
            if found and holds(found):
                return found
            if time.monotonic() > deadline:
                raise AssertionError(self._why_not(resource, name, what, found))
            time.sleep(POLL_SECONDS)

    def wait_until(
        self, what: str, holds: Callable[[], bool], timeout_seconds: float = 120
    ) -> None:
        """Wait until `holds`; `what` says it in words."""
        deadline = time.monotonic() + timeout_seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout_seconds:.0f} s: {what}\n{self._scene()}")
            time.sleep(POLL_SECONDS)

    def pods_of(self, deployment: str) -> dict[str, str]:
        """Uids of a Deployment's serving pods that aren't ending, by name."""
        selector = f"serinus.dev/deployment={deployment},serinus.dev/revision"
        return {
            pod["metadata"]["name"]: pod["metadata"]["uid"]
            for pod in self.list("pods", selector)
            if "deletionTimestamp" not in pod["metadata"]
        }

    def _why_not(self, resource: str, name: str, what: str, found: JsonObject) -> str:
        status = json.dumps(found.get("status", found), indent=1)[:6000]
        return f"{resource}/{name} isn't {what}:\n{status}\n{self._scene()}"

    def _scene(self) -> str:
        """Events, pods and the operator's last lines."""
        parts = []
        for words in (
            ["-n", self.name, "get", "pods", "-o", "wide"],
            ["-n", self.name, "get", "events", "--sort-by=.lastTimestamp"],
            ["-n", OPERATOR_NAMESPACE, "logs", "deployment/serinus", "--tail=25"],
        ):
            try:
                parts.append("\n".join(kubectl(*words).splitlines()[-25:]))
            except KubectlError as error:
                parts.append(str(error))
        return "\n---\n".join(parts)


def condition(body: Mapping[str, Any], type_: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition; empty words where there is none."""
    for item in body.get("status", {}).get("conditions", ()):
        if item["type"] == type_:
            return item["status"], item.get("reason", ""), item.get("message", "")
    return "", "", ""


def is_true(type_: str) -> Callable[[JsonObject], bool]:
    """Predicate: the condition is True for the newest generation."""

    def holds(body: JsonObject) -> bool:
        current = body["status"].get("observedGeneration") == body["metadata"]["generation"]
        return current and condition(body, type_)[0] == "True"

    def guarded(body: JsonObject) -> bool:
        return "status" in body and holds(body)

    return guarded


def has_reason(type_: str, reason: str) -> Callable[[JsonObject], bool]:
    """Predicate: the condition has the reason."""
    return lambda body: condition(body, type_)[1] == reason


def stable_model(body: Mapping[str, Any]) -> str | None:
    """ModelVersion that is stable, None before the first."""
    stable = body.get("status", {}).get("stable")
    return stable["modelVersion"] if stable else None


def canary_of(body: Mapping[str, Any]) -> JsonObject:
    """Canary's status, {} without one."""
    return body.get("status", {}).get("canary") or {}


def rejected_reasons(body: Mapping[str, Any]) -> list[str]:
    """Reasons for which revisions were rejected."""
    return [item["reason"] for item in body.get("status", {}).get("rejectedRevisions", ())]


USER_AGENT = "serinus-operator/"
"""What the operator's user agent begins with."""
