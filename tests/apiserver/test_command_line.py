"""`kubectl serinus` against a real API server, with the chart's roles and admission policy."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.cli.errors import ClusterError
from serinus.cli.kubectl import Annotation, Kubectl
from tests.support import command_line
from tests.support.api_server import TOKEN, ApiServer, folder_with
from tests.support.chart import bind, put

ROOT = Path(__file__).parents[2]
NAMESPACE = "people"
DEPLOYMENTS = f"/apis/serinus.dev/v1alpha1/namespaces/{NAMESPACE}/modeldeployments"
POLICY_TIMEOUT_SECONDS = 60

MANAGER = "mia"
EDITOR = "ed"
ODD_NAMES = ("system:serviceaccount:ci:release", "zoë@example.com", "O'Hara <o@example.com>")


@dataclass
class Person:
    """Somebody at a terminal."""

    name: str
    kubeconfig: Path
    path: str

    def types(self, words: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "serinus.cli.main", *words.split(), *more]
        flags = ["-n", NAMESPACE, f"--kubeconfig={self.kubeconfig}", f"--as={self.name}"]
        return subprocess.run(
            [*command, *flags],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": self.path, "PYTHONPATH": "operator", "HOME": str(self.kubeconfig.parent)},
            cwd=ROOT,
        )


@pytest.fixture(scope="module")
def rights(api_server: ApiServer, chart: None) -> None:
    """Who may do what in the namespace."""
    api_server.post(
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    )
    for person in (MANAGER, *ODD_NAMES):
        bind(api_server, NAMESPACE, "serinus-viewer", person)
        bind(api_server, NAMESPACE, "serinus-release-manager", person)
    bind(api_server, NAMESPACE, "serinus-viewer", EDITOR)
    editing = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "editing"},
        "rules": [
            {"apiGroups": ["serinus.dev"], "resources": ["modeldeployments"], "verbs": ["patch"]}
        ],
    }
    put(api_server, [editing])
    bind(api_server, NAMESPACE, "editing", EDITOR)


@pytest.fixture(scope="module")
def kubeconfig(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": api_server.url, "insecure-skip-tls-verify": True}}
        ],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = tmp_path_factory.mktemp("kube") / "config"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture
def kubectl_on_path(monkeypatch: pytest.MonkeyPatch) -> str:
    path = str(folder_with("kubectl"))
    monkeypatch.setenv("PATH", path)
    return path


@pytest.fixture
def canary(api_server: ApiServer, rights: None) -> Iterator[dict[str, Any]]:
    """A Deployment in the middle of a canary."""
    body = command_line.deployment(command_line.IN_CANARY)
    status = body.pop("status")
    body["metadata"] = {"name": body["metadata"]["name"], "namespace": NAMESPACE}
    made = api_server.post(DEPLOYMENTS, body)
    assert made.accepted, made.message
    name = body["metadata"]["name"]
    answer = api_server.put(f"{DEPLOYMENTS}/{name}/status", {**made.body, "status": status})
    assert answer.accepted, answer.message
    yield made.body
    api_server.delete(f"{DEPLOYMENTS}/{name}")


@pytest.fixture
def people(kubeconfig: Path, kubectl_on_path: str, canary: dict[str, Any]) -> Any:
    def named(name: str) -> Person:
        return Person(name, kubeconfig, kubectl_on_path)

    deadline = time.monotonic() + POLICY_TIMEOUT_SECONDS
    while (
        "may not promote" not in named(EDITOR).types("pause flight-delay --dry-run=server").stderr
    ):
        assert time.monotonic() < deadline, "the policy isn't in force"
        time.sleep(0.2)
    return named


def request_in(api_server: ApiServer) -> dict[str, Any]:
    stored = api_server.get(f"{DEPLOYMENTS}/flight-delay").body
    request: dict[str, Any] = json.loads(stored["metadata"]["annotations"]["serinus.dev/request"])
    return request


def test_a_release_manager_asks_in_his_own_name(people, api_server, canary) -> None:
    done = people(MANAGER).types(
        "promote flight-delay --no-wait", "--reason", 'the "sale"\n\\u0022verb\\u0022:"approve"'
    )

    assert done.returncode == 0, done.stderr
    request = request_in(api_server)
    assert (request["actor"], request["verb"]) == (MANAGER, "promote")
    assert request["uid"] == canary["metadata"]["uid"]
    assert request["reason"] == "the 'sale' /u0022verb/u0022:'approve'"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_of_all_kinds_of_users_pass_the_policy(people, api_server, name: str) -> None:
    done = people(name).types("abort flight-delay --no-wait")

    assert done.returncode == 0, done.stderr
    assert request_in(api_server)["actor"] == name


def test_who_may_edit_but_not_promote_is_refused_and_told_whom_to_ask(people, api_server) -> None:
    refused = people(EDITOR).types("promote flight-delay --no-wait")

    assert refused.returncode == 3
    assert "ed may not promote modeldeployments/flight-delay" in refused.stderr
    assert "release-manager" in refused.stderr
    assert "annotations" not in api_server.get(f"{DEPLOYMENTS}/flight-delay").body["metadata"]


def test_nobody_asks_in_the_name_of_somebody_else(people, kubeconfig, kubectl_on_path) -> None:
    forged = subprocess.run(
        ["kubectl", f"--kubeconfig={kubeconfig}", f"--as={MANAGER}", "-n", NAMESPACE, "annotate",
         "modeldeployments", "flight-delay",
         'serinus.dev/request={"actor":"boss","verb":"promote"}'],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert forged.returncode != 0
    assert f"the actor must be the requester, {MANAGER}" in forged.stderr


def test_a_dry_run_in_the_server_tells_whether_one_may(people, api_server) -> None:
    allowed = people(MANAGER).types("promote flight-delay --dry-run=server")

    assert (allowed.returncode, allowed.stderr) == (0, "")
    assert "annotations" not in api_server.get(f"{DEPLOYMENTS}/flight-delay").body["metadata"]


def test_a_namesake_of_the_object_is_left_alone(
    kubeconfig: Path, kubectl_on_path: str, canary: dict[str, Any]
) -> None:
    change = Annotation(NAMESPACE, "flight-delay", "another-uid", "serinus.dev/request", "{}")

    with pytest.raises(ClusterError) as caught:
        Kubectl(NAMESPACE, (f"--kubeconfig={kubeconfig}",)).annotate(
            "modeldeployments.serinus.dev", change, dry_run=False
        )

    assert "replaced" in caught.value.hint


@pytest.mark.parametrize("words", ["get flight-delay", "list", "why flight-delay", "history x"])
def test_a_stranger_is_told_what_he_may_not(people, words: str) -> None:
    refused = people("stranger").types(words)

    assert refused.returncode == 3
    assert "cannot" in refused.stderr
    assert "auth can-i" in refused.stderr


def test_looking_shows_the_canary(people) -> None:
    shown = people(MANAGER).types("status flight-delay")

    assert shown.returncode == 2
    assert "Deployment flight-delay: Progressing  canary" in shown.stdout


def test_what_is_not_there_is_told(people) -> None:
    missing = people(MANAGER).types("why nope")

    assert missing.returncode == 3
    assert 'modeldeployments.serinus.dev "nope" not found' in missing.stderr
    assert "serinus list -A" in missing.stderr
