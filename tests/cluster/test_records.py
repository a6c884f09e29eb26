"""What was decided is found by labels, read by the command line, and outlives the Deployment."""

import json
import os
import subprocess
from typing import Any

from tests.cluster.test_rollouts import ROLLOUT_SECONDS, release, settled_on
from tests.support import small_model
from tests.support.live_cluster import Namespace

OF_POINTS = "serinus.dev/record-of=points"


def serinus(namespace: Namespace, *words: str) -> Any:
    """What the command line says, as data."""
    done = subprocess.run(
        ["python", "-m", "serinus.cli.main", "-n", namespace.name, *words, "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_decisions_are_recorded_and_answer_what_served_when(asked: Namespace) -> None:
    release(asked, "second-1")
    asked.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)
    asked.wait_for(
        "mdep",
        "points",
        "without a record that is pending",
        lambda it: not it["status"]["record"]["pending"],
    )
    newest = asked.get("mdep", "points")["status"]["record"]["number"]
    records = asked.list("configmaps", OF_POINTS)
    promotions = asked.list("configmaps", f"{OF_POINTS},serinus.dev/record-action=promote")
    decided = [json.loads(one["data"]["decision.json"]) for one in promotions]

    assert len(records) == newest
    assert all(one["immutable"] for one in records)
    assert [one["modelVersion"] for one in decided] == ["first-1", "second-1"]
    assert decided[1]["evidence"][0]["canary"]["total"] > 0

    report = serinus(asked, "report", "points")
    served = [[one["modelVersion"] for one in it["served"]] for it in report["served"]]
    assert served[0] == ["first-1"]
    assert ["first-1", "second-1"] in served
    assert served[-1] == ["second-1"]
    assert report["missingRecords"] == []

    asked.kubectl("delete", "mdep", "points", "--wait=true")
    then = serinus(asked, "why", "points", "--at", decided[0]["at"])
    assert [one["modelVersion"] for one in then["served"]] == ["first-1"]
    assert len(asked.list("configmaps", OF_POINTS)) == newest

    asked.apply(small_model.deployment("points", "first-1"))
    asked.wait_for("mdep", "points", "healthy again", settled_on("first-1"), ROLLOUT_SECONDS)
    again = asked.get("mdep", "points")["status"]["record"]["number"]
    assert again > newest
