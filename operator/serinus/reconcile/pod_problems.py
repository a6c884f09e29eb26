"""Why a pod can't start, read from its status, in words that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from serinus.api.enums import Reason
from serinus.reconcile.decision import JsonObject

_SECRET = re.compile(r"""secrets? "([^"]+)" not found""")
_KEY = re.compile(r"couldn't find key (\S+) in Secret (\S+)")
_CONFIG_ERRORS = ("CreateContainerConfigError", "InvalidImageName")
_PULL_ERRORS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class PodProblem:
    """What keeps a pod from starting; a smaller `rank` is the graver one."""

    rank: int
    reason: Reason
    message: str


def pod_problem(pod: JsonObject) -> PodProblem | None:
    """The gravest problem of `pod`; None when it runs, or just hasn't started yet."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    problems = [*_container_problems(name, status), *_scheduling_problems(name, status)]
    return min(problems, key=lambda problem: problem.rank, default=None)


def _container_problems(pod: str, status: Any) -> Iterator[PodProblem]:
    for container in (
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    ):
        waiting = container.get("state", {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), str(waiting.get("message", ""))[:_SHOWN]
        if missing := _missing_secret(message):
            yield PodProblem(0, Reason.SECRET_MISSING, f"pod `{pod}` can't start: {missing}")
        elif reason in _PULL_ERRORS:
            image = container.get("image", "")
            text = (
                f"pod `{pod}` can't start: image `{image}` can't be pulled ({reason}); check its "
                "name, and that the Secrets of `imagePullSecrets` are in this namespace"
            )
            yield PodProblem(1, Reason.IMAGE_PULL_FAILED, text)
        elif reason in _CONFIG_ERRORS:
            text = f"pod `{pod}` can't start: {message or reason}"
            yield PodProblem(2, Reason.PROGRESSING, text)
        elif reason == "CrashLoopBackOff":
            yield PodProblem(3, Reason.PROGRESSING, _crash(pod, container))


def _missing_secret(message: str) -> str | None:
    if match := _KEY.search(message):
        secret = match[2].rstrip(",.").rpartition("/")[2]
        return f"Secret `{secret}` has no key `{match[1]}`; add it, or name another key in the spec"
    if match := _SECRET.search(message):
        return (
            f"Secret `{match[1]}` doesn't exist in this namespace; make it, or name another one in "
            "the spec"
        )
    return None


def _crash(pod: str, container: Any) -> str:
    last = container.get("lastState", {}).get("terminated") or {}
    ended = last.get("reason", "Error")
    code = last.get("exitCode")
    restarts = container.get("restartCount", 0)
    text = f"pod `{pod}` crashed {restarts} times, last {ended} (exit code {code})"
    said = str(last.get("message", "")).strip()[:_SHOWN]
    return f"{text}: {said}" if said else f"{text}; see `kubectl logs {pod} --previous`"


def _scheduling_problems(pod: str, status: Any) -> Iterator[PodProblem]:
    for condition in status.get("conditions", ()):
        unscheduled = condition.get("type") == "PodScheduled" and condition.get("status") == "False"
        if unscheduled and condition.get("reason") == "Unschedulable":
            text = f"pod `{pod}` finds no node: {str(condition.get('message', ''))[:_SHOWN]}"
            yield PodProblem(4, Reason.POD_UNSCHEDULABLE, text)
