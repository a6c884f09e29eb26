"""The ConfigMap that tells a run's pod what to do; it has the Job's name."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from serinus.api.enums import Kind
from serinus.api.job_contract import RUN_INPUT_PATH, RunInput
from serinus.manifests.naming import RUN_LABEL, owner_labels

JsonObject = dict[str, Any]

RUN_INPUT_KEY = PurePosixPath(RUN_INPUT_PATH).name


def make_run_input(kind: Kind, owner: str, run_input: RunInput) -> JsonObject:
    """ConfigMap with the input of a run of the object `owner`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": run_input.run,
            "namespace": run_input.namespace,
            "labels": {**owner_labels(kind, owner), RUN_LABEL: run_input.run},
        },
        "data": {RUN_INPUT_KEY: run_input.model_dump_json(by_alias=True, exclude_none=True)},
    }
