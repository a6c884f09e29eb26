"""Revisions as earlier releases wrote them down: the same spec still leads to them.

A changed model would start a rollout on every Deployment at the next upgrade of the operator. The
files in `tests/golden/revisions/<release>` are written once, by `hack/test PATH --accept`, and are
never rewritten: a test that fails here tells that an upgrade would start rollouts.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from serinus import __version__
from serinus.api.server import Server
from serinus.manifests.revision import make_controller_revision, parse_controller_revision
from serinus.manifests.settings import Settings
from serinus.reconcile.deployment_facts import Observed
from serinus.reconcile.deployment_revision import known_revision, wanted_revision
from serinus.reconcile.model_reference import parsed_version
from serinus.rollout.revision import revision_inputs
from tests.support.deployment_world import NAME, NAMESPACE, model_version

FROZEN = Path(__file__).parents[2] / "golden" / "revisions"
VERSION = parsed_version(model_version("v1"))
SPECS: dict[str, dict[str, Any] | None] = {
    "without-a-server-block": None,
    "with-an-empty-one": {},
    "with-all-fields": {
        "image": "server:7",
        "runtimeVersion": "2",
        "resources": {
            "requests": {"cpu": "500m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "env": [
            {"name": "LOG_LEVEL", "value": "debug"},
            {"name": "TOKEN", "secretKeyRef": {"name": "delay-token", "key": "token"}},
        ],
        "feedback": {"cohortLength": "2s", "maturity": "90s"},
        "podTemplate": {
            "metadata": {"labels": {"team": "a"}, "annotations": {"cost": "b"}},
            "spec": {
                "nodeSelector": {"disk": "fast"},
                "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "affinity": {"nodeAffinity": {}},
                "priorityClassName": "high",
                "runtimeClassName": "sandbox",
                "imagePullSecrets": [{"name": "pull"}],
            },
        },
    },
}
RELEASED = sorted(FROZEN.glob("*/*.json"))


def born_today(server: dict[str, Any] | None) -> dict[str, Any]:
    """The ControllerRevision that this operator makes for a new Deployment."""
    record = wanted_revision(
        NAME,
        NAMESPACE,
        version=VERSION,
        server=None if server is None else Server.model_validate(server),
        seen=Observed(),
        settings=Settings("jobs:1", "server:1"),
    )
    return make_controller_revision(NAME, NAMESPACE, record)


def test_the_revisions_of_this_release_are_frozen(request: pytest.FixtureRequest) -> None:
    for name, server in SPECS.items():
        path = FROZEN / __version__ / f"{name}.json"
        if not path.exists() and request.config.getoption("--accept"):
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = {"server": server, "controllerRevision": born_today(server)}
            path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")

        assert path.exists(), (
            "run: hack/test tests/unit/reconcile/test_revisions_of_releases.py --accept"
        )


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_a_spec_leads_to_the_revision_that_an_earlier_release_made_of_it(path: Path) -> None:
    kept = json.loads(path.read_text())
    given = None if kept["server"] is None else Server.model_validate(kept["server"])
    born = parse_controller_revision(kept["controllerRevision"])
    assert born is not None

    found = wanted_revision(
        NAME,
        NAMESPACE,
        version=VERSION,
        server=given,
        seen=Observed(records={born.revision: born}),
        settings=Settings("jobs:2", "server:2"),
    )

    assert revision_inputs(VERSION.spec.digest, given) == born.inputs
    assert found == born


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_a_field_that_only_another_release_knows_makes_no_revision(path: Path) -> None:
    kept = json.loads(path.read_text())
    body = kept["controllerRevision"]
    body["data"]["inputs"]["server"]["ofAnotherRelease"] = {"a": "b"}
    born = parse_controller_revision(body)
    assert born is not None
    given = None if kept["server"] is None else Server.model_validate(kept["server"])

    inputs = revision_inputs(VERSION.spec.digest, given)

    assert known_revision(inputs, [born]) == born


def test_of_several_that_say_the_same_today_the_one_that_runs_is_meant() -> None:
    inputs = revision_inputs(VERSION.spec.digest, Server(runtime_version="2"))
    records = []
    for number, more in enumerate(("a", "b", "c"), start=1):
        body = born_today({"runtimeVersion": "2"})
        body["data"] |= {"revision": more * 10}
        body["data"]["inputs"] = {
            **body["data"]["inputs"],
            "server": {"runtimeVersion": "2", "ofAnotherRelease": more},
        }
        record = parse_controller_revision({**body, "revision": number})
        assert record is not None
        records.append(record)

    found = [
        known_revision(inputs, records, running=("aaaaaaaaaa",)),
        known_revision(inputs, records),
        known_revision(revision_inputs(VERSION.spec.digest, None), records),
    ]

    assert [one.revision if one else None for one in found] == ["aaaaaaaaaa", "cccccccccc", None]
