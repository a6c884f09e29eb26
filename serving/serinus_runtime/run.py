"""Entry point of all Jobs: read the input, do the task, publish the result.

A result is published once, atomically, as `runs/<run>/result.json`; a pod that finds it there, of
the same identity, only reports it again. The termination message is a copy of at most 4 KiB. What
a person has to change is a result, too, and exits 0; only errors that may go away end without one
and exit 1, for Kubernetes to try again.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from serinus.api.enums import Outcome, Reason
from serinus.api.job_contract import (
    ONLINE_CA_PATH,
    ONLINE_PASSWORD_PATH,
    PSEUDONYMIZATION_KEY_PATH,
    RUN_INPUT,
    RUN_INPUT_PATH,
    RUN_RESULT,
    TERMINATION_MESSAGE_MAX_BYTES,
    FeatureSetRunInput,
    FeatureSetRunResult,
    RunInput,
    RunResult,
    TrainingRunInput,
    TrainingRunResult,
    VerificationRunInput,
    VerificationRunResult,
)
from serinus.api.store_mount import STORE_MOUNT_PATH
from serinus_runtime.features.pod_limits import PodLimits, pod_limits
from serinus_runtime.server.json_log import configure_logging
from serinus_runtime.store import Store, publish_file
from serinus_runtime.user_error import UserError

RESULT_FILE = "result.json"
MESSAGE_MAX_CHARACTERS = 1024
_SHOWN_PROBLEMS = 3
_IDENTITY_CHARACTERS = 8
_UNREADABLE = "unreadable"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a Job finds and leaves things."""

    input_path: Path
    store: Store
    scratch: Path
    termination_log: Path
    pseudonymization_key: Path
    online_password: Path
    online_ca: Path
    limits: PodLimits

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Settings of the pod's environment variables and its control group."""
        scratch = Path(environment.get("TMPDIR", "/tmp"))  # noqa: S108  the pod's emptyDir
        return Settings(
            input_path=Path(environment.get("SERINUS_RUN_INPUT", RUN_INPUT_PATH)),
            store=Store(Path(environment.get("SERINUS_STORE", STORE_MOUNT_PATH))),
            scratch=scratch,
            termination_log=Path(
                environment.get("SERINUS_TERMINATION_LOG", "/dev/termination-log")
            ),
            pseudonymization_key=Path(
                environment.get("SERINUS_PSEUDONYMIZATION_KEY", PSEUDONYMIZATION_KEY_PATH)
            ),
            online_password=Path(environment.get("SERINUS_ONLINE_PASSWORD", ONLINE_PASSWORD_PATH)),
            online_ca=Path(environment.get("SERINUS_ONLINE_CA", ONLINE_CA_PATH)),
            limits=pod_limits(environment, scratch),
        )


def _featureset(run: RunInput, settings: Settings) -> RunResult:
    assert isinstance(run, FeatureSetRunInput)
    from serinus_runtime.features.download import HttpDownloader
    from serinus_runtime.features.featureset_run import make_snapshot
    from serinus_runtime.features.loaded_sources import Surroundings
    from serinus_runtime.features.online_writes import ServerAccess

    surroundings = Surroundings(
        store=settings.store,
        scratch=settings.scratch,
        pseudonymization_key=settings.pseudonymization_key,
        online_server=ServerAccess(settings.online_password, settings.online_ca),
        download=HttpDownloader(),
        limits=settings.limits,
        now=lambda: datetime.now(UTC),
    )
    return make_snapshot(run, surroundings)


def _training(run: RunInput, settings: Settings) -> RunResult:
    assert isinstance(run, TrainingRunInput)
    from serinus_runtime.training.training_run import train

    return train(run, settings.store)


def _verification(run: RunInput, settings: Settings) -> RunResult:
    assert isinstance(run, VerificationRunInput)
    from serinus_runtime.artifact.verify import verify

    return verify(run, settings.store.root)


# Imported when used: each task needs libraries that the others don't, and they take seconds.
TASKS: dict[str, Callable[[RunInput, Settings], RunResult]] = {
    "featureset": _featureset,
    "training": _training,
    "verification": _verification,
}
_RESULT_TYPES: dict[str, type[RunResult]] = {
    "featureset": FeatureSetRunResult,
    "training": TrainingRunResult,
    "verification": VerificationRunResult,
}


def main(settings: Settings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Do the task of the input; exit code 0 where there is a result."""
    document = json.loads(settings.input_path.read_bytes())
    folder = settings.store.run(str(document["run"]))
    published = _published(folder, str(document["identity"]))
    if published is not None:
        _log.info("result reported again", extra={"outcome": published.outcome.value})
        _terminate(settings, published)
        return 0
    started_at = now()
    result = _result(document, settings)
    result = result.model_copy(
        update={
            "started_at": _shown(started_at),
            "finished_at": _shown(now()),
            "message": result.message[:MESSAGE_MAX_CHARACTERS],
        }
    )
    publish_file(folder / RESULT_FILE, _rendered(result))
    _terminate(settings, result)
    _log.info(
        "run finished",
        extra={
            "outcome": result.outcome.value,
            "reason": result.reason,
            "detail": result.message,
            "duration_seconds": round((now() - started_at).total_seconds(), 3),
        },
    )
    return 0


def _published(folder: Path, identity: str) -> RunResult | None:
    """The result of this run, if it has one.

    What is there of a former identity is moved aside, and so is what nobody can read: the file of
    another version of Serinus, or one that a broken disk has cut.
    """
    path = folder / RESULT_FILE
    if not path.is_file():
        return None
    try:
        result = RUN_RESULT.validate_json(path.read_bytes())
    except ValidationError as error:
        _log.warning("unreadable result moved aside", extra={"detail": _problems(error)})
        _move_aside(folder, _UNREADABLE)
        return None
    if result.identity == identity:
        return result
    former = "".join(filter(str.isalnum, result.identity.removeprefix("sha256:")))
    _move_aside(folder, former[:_IDENTITY_CHARACTERS])
    return None


def _move_aside(folder: Path, word: str) -> None:
    """Rename a run's folder to `<name>.<word>`, with a number where that is taken."""
    aside = folder.with_name(f"{folder.name}.{word}")
    number = 1
    while aside.exists():
        aside = folder.with_name(f"{folder.name}.{word}.{number}")
        number += 1
    folder.rename(aside)


def _result(document: Mapping[str, Any], settings: Settings) -> RunResult:
    try:
        run = RUN_INPUT.validate_python(document)
        return TASKS[run.task](run, settings)
    except ValidationError as error:
        return _failed(document, Outcome.FAILED, Reason.INVALID_SPEC.value, _problems(error))
    except UserError as error:
        return _failed(document, error.outcome, error.reason, str(error))
    except OSError as error:
        # It may go away, so there is no result; meanwhile the status says what is in the way.
        _leave(settings, str(error).encode()[:TERMINATION_MESSAGE_MAX_BYTES])
        raise


def _failed(document: Mapping[str, Any], outcome: Outcome, reason: str, message: str) -> RunResult:
    return _RESULT_TYPES.get(str(document.get("task")), FeatureSetRunResult)(
        run=str(document["run"]),
        identity=str(document["identity"]),
        outcome=outcome,
        reason=reason,
        message=message,
    )


def _problems(error: ValidationError) -> str:
    """What pydantic refused, by field, without the refused values."""
    told = []
    for problem in error.errors(include_url=False, include_input=False)[:_SHOWN_PROBLEMS]:
        steps = [step for step in problem["loc"] if step not in _RESULT_TYPES]
        path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".")
        told.append(f"{path}: {problem['msg']}")
    return "; ".join(told)


def _rendered(result: RunResult) -> bytes:
    return result.model_dump_json(by_alias=True, exclude_none=True).encode()


def termination_message(result: RunResult) -> bytes:
    """The result in at most 4 KiB: without signature if need be, then with a shorter message."""
    rendered = _rendered(result)
    for dropped in ("signature", "warnings", "gates", "metrics"):
        if len(rendered) <= TERMINATION_MESSAGE_MAX_BYTES:
            return rendered
        if dropped in type(result).model_fields:
            empty = type(result).model_fields[dropped].get_default(call_default_factory=True)
            result = result.model_copy(update={dropped: empty})
            rendered = _rendered(result)
    while len(rendered) > TERMINATION_MESSAGE_MAX_BYTES and result.message:
        shorter = result.message[: len(result.message) // 2]
        result = result.model_copy(update={"message": shorter})
        rendered = _rendered(result)
    return rendered


def _terminate(settings: Settings, result: RunResult) -> None:
    """Copy the result to where the kubelet reads it. The store's copy is the one that counts."""
    _leave(settings, termination_message(result))


def _leave(settings: Settings, message: bytes) -> None:
    """Leave the message that the pod ends with."""
    try:
        settings.termination_log.write_bytes(message)
    except OSError:
        _log.warning("termination message not written", exc_info=True)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    os.umask(0o002)
    # OpenMP's threads spin while they wait for each other. Where a neighbour uses the processors,
    # boosting then takes eight times as long; read once, when scikit-learn is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    configure_logging({})
    sys.exit(main(Settings.from_environment(os.environ)))
