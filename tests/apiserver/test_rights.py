"""The chart gives the operator the rights that it uses, and no others.

A story that makes it do all that it ever does, told by a test that plays controllers and kubelet;
what the operator asked for stands in the API server's audit log.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serinus.api.enums import PLURALS, Kind, Outcome, Verb
from serinus.api.job_contract import RUN_INPUT
from serinus.cluster.credentials import find_api_server
from serinus.cluster.gateways import Gateways
from serinus.cluster.kube import KubeOverHttp
from serinus.cluster.resources import OBSERVED, OPTIONAL
from serinus.reconcile.snapshot import GatewaySeen
from tests.support import chart
from tests.support.api_server import ApiServer, write_kubeconfig
from tests.support.operator_process import Machine, wait_until
from tests.support.run_world import (
    DIGEST_A,
    FEATURE_SET_SPEC,
    TRAINING_JOB_SPEC,
    model_result,
    snapshot_result,
)

Body = dict[str, Any]
Right = tuple[str, str, str]
"""API group, resource (with its subresource) and verb."""

OURS = "/apis/serinus.dev/v1alpha1"
GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
PREDICTOR = {"kind": "linear", "verifiedRows": 1, "mismatches": 0}

# What is asked for in other circumstances than a story's.
LOOKED_AT: set[Right] = {(one.group, one.plural, "get") for one in (*OBSERVED, *OPTIONAL)}
"""An audit asks by name for what it lists and the watch hasn't told of, or the other way round."""
OWNING: set[Right] = {
    ("serinus.dev", f"{plural}/finalizers", "update") for plural in PLURALS.values()
}
"""Asked for by the API server itself, where it guards who may be made an object's owner."""

MIRRORING: set[Right] = {
    ("gateway.networking.k8s.io", resource, "get") for resource in ("gateways", "gatewayclasses")
}
"""Asked for while a Gateway is to mirror requests; a test of its own does that."""

RECORDING: set[Right] = {("serinus.dev", "modeldeployments", "record")}
"""Asked for by the admission policy, where a record of a decision is made."""


@dataclass
class Story:
    """What people, controllers and the kubelet do in one namespace."""

    server: ApiServer
    namespace: str
    asked: int = 0

    def path(self, api: str, plural: str, name: str = "") -> str:
        return f"{api}/namespaces/{self.namespace}/{plural}{'/' + name if name else ''}"

    def ours(self, kind: Kind, name: str = "") -> str:
        return self.path(OURS, PLURALS[kind], name)

    def body(self, path: str) -> Body:
        return self.server.get(path).body

    def has(self, path: str) -> bool:
        return self.server.get(path).accepted

    def applies(self, kind: Kind, name: str, spec: Body) -> None:
        body = {
            "apiVersion": "serinus.dev/v1alpha1",
            "kind": kind.value,
            "metadata": {"name": name},
            "spec": spec,
        }
        answer = self.server.post(self.ours(kind), body)
        assert answer.accepted, answer.message

    def edits(self, kind: Kind, name: str, **spec: Any) -> None:
        answer = self.server.patch(self.ours(kind, name), {"spec": spec})
        assert answer.accepted, answer.message

    def asks(self, kind: Kind, name: str, verb: Verb) -> Body:
        """A person asks for something; what came of it."""
        self.asked += 1
        nonce = f"n{self.asked}"
        request = {
            "verb": verb.value,
            "uid": self.body(self.ours(kind, name))["metadata"]["uid"],
            "nonce": nonce,
            "issuedAt": datetime.now(UTC).isoformat(),
            "actor": "admin",
        }
        text = json.dumps(request, separators=(",", ":"))
        change = {"metadata": {"annotations": {"serinus.dev/request": text}}}
        answer = self.server.patch(self.ours(kind, name), change)
        assert answer.accepted, answer.message

        def handled() -> Body:
            status: Body = self.body(self.ours(kind, name)).get("status", {})
            return dict(status.get("lastHandledRequest", {}))

        wait_until("it is handled", lambda: handled().get("nonce") == nonce)
        return handled()

    def job(self, name: str) -> str:
        return self.path("/apis/batch/v1", "jobs", name)

    def run_ends(self, name: str, **result: Any) -> None:
        """The run's pod ends with its result."""
        wait_until(f"Job {name} is there", lambda: self.has(self.job(name)))
        job = self.body(self.job(name))
        pod = {
            "metadata": {
                "name": f"{name}-{job['metadata']['uid'][:5]}",
                "labels": job["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [
                    {
                        "apiVersion": "batch/v1",
                        "kind": "Job",
                        "name": name,
                        "uid": job["metadata"]["uid"],
                        "controller": True,
                    }
                ],
            },
            "spec": job["spec"]["template"]["spec"],
        }
        made = self.server.post(self.path("/api/v1", "pods"), pod)
        assert made.accepted, made.message
        told = {"exitCode": 0, "message": json.dumps(self._result(name, result))}
        container = {
            "name": "run",
            "image": "jobs:1",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": told},
        }
        status = {"phase": "Succeeded", "containerStatuses": [container]}
        path = self.path("/api/v1", "pods", made.body["metadata"]["name"])
        answer = self.server.put(f"{path}/status", {**made.body, "status": status})
        assert answer.accepted, answer.message

    def _result(self, name: str, result: Body) -> Body:
        config_map = self.body(self.path("/api/v1", "configmaps", name))
        asked = RUN_INPUT.validate_json(config_map["data"]["input.json"])
        return {
            "run": asked.run,
            "identity": asked.identity,
            "task": asked.task,
            "outcome": Outcome.SUCCEEDED.value,
            "reason": "Done",
            "message": "done",
            **result,
        }

    def workloads(self) -> dict[str, int]:
        """Replicas that are wanted of each workload."""
        listed = self.body(self.path("/apis/apps/v1", "deployments"))["items"]
        return {one["metadata"]["name"]: one["spec"]["replicas"] for one in listed}

    def workloads_of(self, deployment: str) -> list[str]:
        """Names of the workloads of one Deployment."""
        return [name for name in self.workloads() if name.startswith(f"{deployment}-")]

    def pods_are_ready(self, deployment: str) -> None:
        """The workload's controller says that all pods that were asked for are available."""
        (name,) = self.workloads_of(deployment)
        path = self.path("/apis/apps/v1", "deployments", name)
        body = self.body(path)
        replicas = body["spec"]["replicas"]
        status = {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        }
        answer = self.server.patch(f"{path}/status", {"status": status})
        assert answer.accepted, answer.message

    def collects_garbage(self, deployment: str) -> None:
        """What a Deployment that is gone has left."""
        for plural in ("deployments", "controllerrevisions"):
            for one in self.body(self.path("/apis/apps/v1", plural))["items"]:
                if one["metadata"]["name"].startswith(f"{deployment}-"):
                    path = self.path("/apis/apps/v1", plural, one["metadata"]["name"])
                    assert self.server.delete(path).accepted

    def workloads_are_scaled(self) -> None:
        """Their controller has seen what was asked for; pods never become ready here."""
        for one in self.body(self.path("/apis/apps/v1", "deployments"))["items"]:
            generation, replicas = one["metadata"]["generation"], one["spec"]["replicas"]
            status = {"observedGeneration": generation, "replicas": replicas}
            path = self.path("/apis/apps/v1", "deployments", one["metadata"]["name"])
            self.server.patch(f"{path}/status", {"status": status})


def expires(story: Story, run: str) -> bool:
    return "ttlSecondsAfterFinished" in story.body(story.job(run)).get("spec", {})


def data_and_training(story: Story) -> None:
    """A snapshot, a run of it that is given up, a model, and its verification."""
    story.applies(Kind.FEATURE_SET, "flights", FEATURE_SET_SPEC)
    story.run_ends("flights-snapshot-1", **snapshot_result(DIGEST_A))
    wait_until("its Job expires", lambda: expires(story, "flights-snapshot-1"))
    story.edits(Kind.FEATURE_SET, "flights", validation={"minRows": 2})
    wait_until("another run begins", lambda: story.has(story.job("flights-snapshot-2")))
    story.edits(Kind.FEATURE_SET, "flights", validation={"minRows": 3})
    wait_until("it is given up", lambda: not story.has(story.job("flights-snapshot-2")))
    story.applies(Kind.TRAINING_JOB, "delay", TRAINING_JOB_SPEC)
    story.run_ends("delay-train-1", **model_result())
    story.run_ends("delay-1-verify", predictor=PREDICTOR)
    version = story.ours(Kind.MODEL_VERSION, "delay-1")
    wait_until("it is ready", lambda: story.body(version).get("status", {}).get("phase") == "Ready")


def serving(story: Story) -> None:
    """A Deployment behind a Gateway, whose first revision is replaced again and again."""
    spec = {
        "model": {"versionRef": {"name": "delay-1"}},
        "replicas": 1,
        "revisionHistoryLimit": 1,
        "server": {"env": [{"name": "ROUND", "value": "0"}]},
        "traffic": {"gatewayAPI": {"parentRefs": [{"name": "public"}]}},
    }
    story.applies(Kind.DEPLOYMENT, "delay", spec)
    for number in range(1, 5):
        wait_until("a workload comes up", lambda: list(story.workloads().values()).count(1) == 1)
        env = [{"name": "ROUND", "value": str(number)}]
        another_workload_comes(story, server={"env": env})


def scaled_by_load(story: Story) -> None:
    """A Deployment that becomes stable, whose autoscaler is changed and taken away."""
    model = {"versionRef": {"name": "delay-1"}}
    story.applies(Kind.DEPLOYMENT, "busy", {"model": model, "autoscaling": {"maxReplicas": 3}})
    wait_until("its workload comes", lambda: bool(story.workloads_of("busy")))
    story.pods_are_ready("busy")
    autoscaler = story.path("/apis/autoscaling/v2", "horizontalpodautoscalers", "busy")
    wait_until("its autoscaler comes", lambda: story.has(autoscaler))
    story.edits(Kind.DEPLOYMENT, "busy", autoscaling={"maxReplicas": 4})
    wait_until("it changes", lambda: story.body(autoscaler)["spec"]["maxReplicas"] == 4)
    story.edits(Kind.DEPLOYMENT, "busy", autoscaling=None)
    wait_until("it goes", lambda: not story.has(autoscaler))
    assert story.server.delete(story.ours(Kind.DEPLOYMENT, "busy")).accepted
    story.collects_garbage("busy")


def old_revisions_are_gone(story: Story) -> bool:
    story.workloads_are_scaled()
    records = story.body(story.path("/apis/apps/v1", "controllerrevisions"))["items"]
    services = story.body(story.path("/api/v1", "services"))["items"]
    of_revisions = [one for one in services if "serinus.dev/revision" in one["metadata"]["labels"]]
    return len(story.workloads()) <= 2 and len(records) <= 2 and len(of_revisions) == 1


def another_workload_comes(story: Story, **spec: Any) -> None:
    known = set(story.workloads())
    story.edits(Kind.DEPLOYMENT, "delay", **spec)
    wait_until("another workload comes", lambda: not set(story.workloads()) <= known)


def used(entries: Iterable[Body]) -> Iterator[Right]:
    for entry in entries:
        what = entry.get("objectRef")
        if what:
            subresource = f"/{what['subresource']}" if what.get("subresource") else ""
            yield what.get("apiGroup", ""), f"{what['resource']}{subresource}", entry["verb"]


def granted(machine: Machine) -> Iterator[Right]:
    """The rules of the chart, one by one."""
    names = f"watchNamespaces={{{','.join(machine.watched)}}}"
    own_name = f"fullnameOverride={machine.release}"
    for manifest in chart.rendered(own_name, names, only=("rbac",)):
        for rule in manifest.get("rules", ()):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    yield from ((group, resource, verb) for verb in rule["verbs"])


@pytest.fixture
def policy(api_server: ApiServer, machine: Machine) -> str:
    """The admission policy of the machine's release; its name."""
    own_name = f"fullnameOverride={machine.release}"
    chart.put(api_server, chart.rendered(own_name, only=("admission-policy",)))
    return f"{machine.release}-requests"


def test_each_right_is_used_and_no_other_is_needed(
    api_server: ApiServer, machine: Machine, namespace: str, policy: str
) -> None:
    operator = machine.start("one")
    wait_until("it leads", operator.leads)
    story = Story(api_server, namespace)
    data_and_training(story)
    scaled_by_load(story)
    serving(story)
    story.asks(Kind.MODEL_VERSION, "delay-1", Verb.RETRY)
    wait_until(
        "its run is told anew what to do",
        lambda: ("", "configmaps", "patch") in set(used(machine.requests())),
    )
    wait_until("old revisions go", lambda: old_revisions_are_gone(story))

    assert not machine.refused()
    asked_for = set(used(machine.requests()))
    assert asked_for | LOOKED_AT | OWNING | MIRRORING | RECORDING == set(granted(machine))


async def test_what_gateways_can_is_read_with_the_rights_of_the_chart(
    api_server: ApiServer,
    machine: Machine,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = [{"name": "HTTPRouteRequestMirror"}]
    gateway_class = {"metadata": {"name": namespace}, "spec": {"controllerName": "example.org/x"}}
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    spec = {"gatewayClassName": namespace, "listeners": [listener]}
    made = api_server.post(f"{GATEWAY_API}/gatewayclasses", _of("GatewayClass", gateway_class))
    status = {**made.body, "status": {"supportedFeatures": features}}
    api_server.put(f"{GATEWAY_API}/gatewayclasses/{namespace}/status", status)
    gateway = {"metadata": {"name": "public"}, "spec": spec}
    path = f"{GATEWAY_API}/namespaces/{namespace}/gateways"
    assert api_server.post(path, _of("Gateway", gateway)).accepted
    resource = {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "delay", "namespace": namespace},
        "spec": {"traffic": {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}},
        "status": {"canary": {"shadow": {}}},
    }
    config = write_kubeconfig(tmp_path / "operator", url=api_server.url, token=machine.token)
    monkeypatch.setenv("KUBECONFIG", str(config))

    async with KubeOverHttp(await find_api_server()) as kube:
        seen = await Gateways(kube).seen(resource)

    mirrors = frozenset({"HTTPRouteRequestMirror"})
    assert seen == (GatewaySeen(namespace, "public", namespace, mirrors),)


def _of(kind: str, body: Body) -> Body:
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, **body}


def test_an_actor_is_verified_only_while_the_policy_is_there(
    api_server: ApiServer, machine: Machine, namespace: str, policy: str
) -> None:
    operator = machine.start("one")
    wait_until("it leads", operator.leads)
    story = Story(api_server, namespace)
    story.applies(Kind.FEATURE_SET, "flights", FEATURE_SET_SPEC)

    def verified() -> bool:
        return bool(story.asks(Kind.FEATURE_SET, "flights", Verb.RETRY)["actorVerified"])

    assert not verified(), "the policy isn't in force yet"
    wait_until("it is in force", verified)
    assert api_server.delete(f"{chart.BINDINGS}/{policy}").accepted
    assert not verified()
