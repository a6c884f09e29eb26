"""A kube-apiserver with its etcd on loopback: what a real API server says, without a cluster.

There is no controller and no kubelet: objects stay as they were written. Both processes and all
that they keep end with the test session.
"""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).parents[2]
START_TIMEOUT_SECONDS = 90
POLL_SECONDS = 0.2
TOKEN = "serinus-tests"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JsonObject = dict[str, Any]
AUDIT_POLICY: JsonObject = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
}


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    code: int
    body: JsonObject

    @property
    def accepted(self) -> bool:
        return self.code < 400

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class ApiServer:
    """A running API server; who speaks to it through `client` may do everything."""

    url: str
    client: httpx.Client
    audit_log: Path
    certificate: Path
    """That of the server, which it made itself."""

    def post(
        self, path: str, body: Mapping[str, Any], *, dry_run: bool = False, user: str | None = None
    ) -> Answer:
        """Create, with the strictness of kubectl: unknown fields are refused."""
        parameters = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return _answer(
            self.client.post(path, json=body, params=parameters, headers=_speaking_for(user))
        )

    def patch(self, path: str, change: Mapping[str, Any], *, user: str | None = None) -> Answer:
        """Merge a change into the object; null takes a field away."""
        headers = {"Content-Type": "application/merge-patch+json", **_speaking_for(user)}
        return _answer(self.client.patch(path, json=change, headers=headers))

    def put(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Answer:
        parameters = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return _answer(self.client.put(path, json=body, params=parameters))

    def get(self, path: str, **headers: str) -> Answer:
        return _answer(self.client.get(path, headers=headers))

    def delete(self, path: str) -> Answer:
        return _answer(self.client.delete(path))

    def requests_of(self, service_account: str) -> Iterator[JsonObject]:
        """What a service account asked for until now, as the audit log tells it."""
        with self.audit_log.open() as log:
            for line in log:
                if not line.endswith("\n"):
                    return  # still being written
                entry = json.loads(line)
                if entry["user"]["username"] == f"system:serviceaccount:{service_account}":
                    yield entry

    def install_crds(self) -> None:
        """Create our kinds and wait until they are served."""
        self._install(sorted((ROOT / "crds").glob("*.yaml")))

    def install_gateway_api(self) -> None:
        """Create the kinds of the Gateway API, as its Go module has them."""
        self._install(gateway_api_crds())

    def _install(self, files: Sequence[Path]) -> None:
        names = []
        for file in files:
            manifest = yaml.safe_load(file.read_text())
            answer = self.post(CRDS, manifest)
            assert answer.accepted, f"{file.name}: {answer.message}"
            names.append(manifest["metadata"]["name"])
        _await("kinds are served", lambda: all(map(self._is_established, names)))

    def _is_established(self, name: str) -> bool:
        conditions = self.get(f"{CRDS}/{name}").body.get("status", {}).get("conditions") or ()
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def gateway_api_folder() -> Path:
    """Where the Go module of the Gateway API has its standard kinds."""
    command = ["go", "mod", "download", "-json", "sigs.k8s.io/gateway-api"]
    module = ROOT / "hack" / "tools" / "traefik"
    found = subprocess.run(command, cwd=module, capture_output=True, text=True, check=True)
    return Path(json.loads(found.stdout)["Dir"]) / "config" / "crd" / "standard"


def gateway_api_crds() -> tuple[Path, ...]:
    """Gateway classes, Gateways and HTTPRoutes, in the version that the gateway of tests has."""
    kinds = ("gatewayclasses", "gateways", "httproutes")
    folder = gateway_api_folder()
    return tuple(folder / f"gateway.networking.k8s.io_{kind}.yaml" for kind in kinds)


@contextlib.contextmanager
def running_api_server(folder: Path) -> Iterator[ApiServer]:
    """Start etcd and kube-apiserver with all their files in `folder`; end them afterwards."""
    kubernetes, etcd = folder_with("kube-apiserver"), folder_with("etcd")
    etcd_port, peer_port, port = _free_ports(3)
    etcd_url, peer_url = f"http://127.0.0.1:{etcd_port}", f"http://127.0.0.1:{peer_port}"
    key = _service_account_key(folder)
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{TOKEN},admin,admin,"system:masters"\n')
    tokens.chmod(0o600)
    policy, audit_log = folder / "audit-policy.yaml", folder / "audit.log"
    policy.write_text(yaml.safe_dump(AUDIT_POLICY))
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            _process(
                [
                    etcd / "etcd",
                    f"--data-dir={folder / 'etcd'}",
                    f"--listen-client-urls={etcd_url}",
                    f"--advertise-client-urls={etcd_url}",
                    f"--listen-peer-urls={peer_url}",
                    f"--initial-advertise-peer-urls={peer_url}",
                    f"--initial-cluster=default={peer_url}",
                    "--unsafe-no-fsync",
                ],
                folder / "etcd.log",
            )
        )
        server = stack.enter_context(
            _process(
                [
                    kubernetes / "kube-apiserver",
                    f"--etcd-servers={etcd_url}",
                    "--bind-address=127.0.0.1",
                    "--advertise-address=127.0.0.1",
                    "--endpoint-reconciler-type=none",
                    f"--secure-port={port}",
                    f"--cert-dir={folder / 'certificates'}",
                    f"--token-auth-file={tokens}",
                    f"--service-account-key-file={key}",
                    f"--service-account-signing-key-file={key}",
                    "--service-account-issuer=https://kubernetes.default.svc",
                    "--service-cluster-ip-range=10.96.0.0/16",
                    "--authorization-mode=RBAC",
                    "--disable-admission-plugins=ServiceAccount",
                    # Asks for more rights than most clusters do.
                    "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
                    f"--audit-policy-file={policy}",
                    f"--audit-log-path={audit_log}",
                ],
                folder / "kube-apiserver.log",
            )
        )
        url = f"https://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        # The certificate is made by the server for itself, and this is loopback.
        client = stack.enter_context(
            httpx.Client(base_url=url, headers=headers, verify=False, timeout=30, trust_env=False)
        )
        _await("kube-apiserver is ready", lambda: _is_ready(client, server, folder))
        yield ApiServer(url, client, audit_log, folder / "certificates" / "apiserver.crt")


def _speaking_for(user: str | None) -> dict[str, str]:
    return {} if user is None else {"Impersonate-User": user}


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, json.loads(response.content or b"{}"))


def write_kubeconfig(file: Path, *, url: str, token: str = TOKEN) -> Path:
    """A kubeconfig for `url`; the certificate isn't checked, because the server made it itself."""
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "tests",
                "contexts": [{"name": "tests", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [
                    {"name": "c", "cluster": {"server": url, "insecure-skip-tls-verify": True}}
                ],
                "users": [{"name": "u", "user": {"token": token}}],
            }
        )
    )
    return file


def folder_with(program: str) -> Path:
    """Cache folder that has `program`; built before by `hack/cluster tools`."""
    printed = subprocess.run(
        [ROOT / "hack" / "cluster", "tools"], capture_output=True, text=True, check=True
    ).stdout
    for line in printed.splitlines():
        if (Path(line) / program).exists():
            return Path(line)
    raise AssertionError(f"{program} is in none of these: {printed}")


def _service_account_key(folder: Path) -> Path:
    key = folder / "service-account.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    return key


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def _process(command: list[Path | str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NO_PROXY": "*"},
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _is_ready(client: httpx.Client, server: subprocess.Popen[bytes], folder: Path) -> bool:
    if server.poll() is not None:
        log = (folder / "kube-apiserver.log").read_text()[-3000:]
        raise AssertionError(f"kube-apiserver ended with {server.returncode}:\n{log}")
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _await(what: str, holds: Any) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {START_TIMEOUT_SECONDS} s: {what}")
        time.sleep(POLL_SECONDS)
