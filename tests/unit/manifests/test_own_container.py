"""A pod with a server that isn't ours is as restricted as all others."""

from typing import Any

from serinus.api.server import Server
from serinus.manifests.settings import Settings
from serinus.manifests.workload import ServingRevision, make_server_pod_template

LEAST: dict[str, Any] = {
    "image": "registry.example.com/iris@sha256:1",
    "port": 3000,
    "probes": {"readyPath": "/readyz"},
}


def template(server: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    given = {**(server or {}), "container": LEAST | container}
    serving = ServingRevision(
        deployment="delay",
        namespace="flights",
        revision="c0ffee0000",
        model_uri="file:///store/models/delay/7",
        model_digest="sha256:" + "a" * 64,
        image="unused",
        server=Server.model_validate(given),
    )
    return make_server_pod_template(serving, Settings("jobs:1", "server:1"))


def container_of(made: dict[str, Any]) -> dict[str, Any]:
    [container] = made["spec"]["containers"]
    return dict(container)


def test_it_is_restricted_and_has_no_credentials() -> None:
    made = template()
    container = container_of(made)

    assert made["spec"]["automountServiceAccountToken"] is False
    assert made["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert {one["name"] for one in made["spec"]["volumes"]} == {"scratch", "store"}
    [store] = [one for one in container["volumeMounts"] if one["name"] == "store"]
    assert store["readOnly"] is True


def test_it_runs_the_image_as_it_is_and_is_asked_whether_it_is_ready() -> None:
    container = container_of(template())

    assert container["image"] == LEAST["image"]
    assert "command" not in container
    assert "args" not in container
    assert "livenessProbe" not in container
    assert container["ports"] == [{"name": "http", "containerPort": 3000, "protocol": "TCP"}]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["startupProbe"]["failureThreshold"] == 300
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


def test_command_arguments_probes_and_environment_are_the_user_s() -> None:
    made = template(
        {"env": [{"name": "A", "value": "b"}], "resources": {"limits": {"memory": "1Gi"}}},
        command=["serve"],
        args=["$(SERINUS_MODEL_URI)"],
        probes={"readyPath": "/readyz", "livePath": "/livez", "startupSeconds": 20},
    )
    container = container_of(made)
    environment = {one["name"]: one.get("value") for one in container["env"]}

    assert (container["command"], container["args"]) == (["serve"], ["$(SERINUS_MODEL_URI)"])
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["startupProbe"]["failureThreshold"] == 20
    assert environment["A"] == "b"
    assert environment["SERINUS_MODEL_URI"] == "file:///store/models/delay/7"
    assert environment["SERINUS_MODEL_DIGEST"] == "sha256:" + "a" * 64
    assert "SERINUS_FEEDBACK_KEY_FILE" not in environment
    assert container["resources"]["limits"]["memory"] == "1Gi"


def test_prometheus_is_told_where_the_metrics_are() -> None:
    def told(**container: Any) -> tuple[dict[str, str], list[str]]:
        made = template(**container)
        ports = [one["name"] for one in container_of(made)["ports"]]
        return made["metadata"]["annotations"], ports

    here = {"serinus.dev/metrics-port": "http", "serinus.dev/metrics-path": "/metrics"}
    there = {"serinus.dev/metrics-port": "metrics", "serinus.dev/metrics-path": "/m"}
    assert told() == ({"serinus.dev/metrics-port": "none"}, ["http"])
    assert told(metrics={"profile": "bentoml"}) == (here, ["http"])
    assert told(metrics={"profile": "bentoml", "port": 3000}) == (here, ["http"])
    triton = {"profile": "triton", "port": 8002, "path": "/m"}
    assert told(metrics=triton) == (there, ["http", "metrics"])
