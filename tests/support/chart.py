"""The chart as Helm renders it, and what of it stands on an API server without a cluster."""

import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from tests.support.api_server import ROOT, ApiServer, folder_with

NAMESPACE = "serinus-system"
REGISTRY = "registry.example.com/mlops"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
BINDINGS = f"{_ADMISSION}/validatingadmissionpolicybindings"
_PATHS = {
    "CronJob": "/apis/batch/v1/namespaces/{namespace}/cronjobs",
    "ClusterRole": f"{_RBAC}/clusterroles",
    "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
    "Role": f"{_RBAC}/namespaces/{{namespace}}/roles",
    "RoleBinding": f"{_RBAC}/namespaces/{{namespace}}/rolebindings",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ValidatingAdmissionPolicy": f"{_ADMISSION}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": BINDINGS,
}
Body = dict[str, Any]


def helm_template(
    *settings: str, only: Sequence[str] = (), release: str = "serinus"
) -> subprocess.CompletedProcess[str]:
    """What `helm template` says with `settings` as `--set` takes them; `only` some templates."""
    command = [
        folder_with("helm") / "helm", "template", release, "charts/serinus",
        f"--namespace={NAMESPACE}",
        *(f"--set={one}" for one in settings),
        *(f"--show-only=templates/{one}.yaml" for one in only),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def rendered(*settings: str, only: Sequence[str] = (), release: str = "serinus") -> list[Body]:
    """The chart's manifests, with a registry named unless `settings` name another."""
    answer = helm_template(f"image.registry={REGISTRY}", *settings, only=only, release=release)
    assert answer.returncode == 0, answer.stderr
    return [one for one in yaml.safe_load_all(answer.stdout) if one]


def put(server: ApiServer, manifests: Iterable[Body]) -> None:
    """Create accounts, roles, bindings, policies and CronJobs."""
    for manifest in manifests:
        namespace = manifest["metadata"].get("namespace", "")
        path = _PATHS[manifest["kind"]].format(namespace=namespace)
        answer = server.post(path, manifest)
        assert answer.accepted, answer.message


def sign_in(server: ApiServer, name: str, *settings: str) -> str:
    """A token of the operator `name`, who has the chart's rights and no others."""
    server.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})  # which may be there
    own_name = f"fullnameOverride={name}"
    put(server, rendered(own_name, *settings, only=("serviceaccount", "rbac")))
    return token_of(server, NAMESPACE, name)


def token_of(server: ApiServer, namespace: str, service_account: str) -> str:
    """A token of a service account that is there."""
    path = f"{_PATHS['ServiceAccount'].format(namespace=namespace)}/{service_account}/token"
    answer = server.post(path, {"spec": {"expirationSeconds": 3600}})
    assert answer.accepted, answer.message
    return str(answer.body["status"]["token"])


def bind(server: ApiServer, namespace: str, role: str, person: str) -> None:
    """Give a person the rights of a ClusterRole in one namespace."""
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"generateName": "people-", "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": person}],
    }
    put(server, [binding])
