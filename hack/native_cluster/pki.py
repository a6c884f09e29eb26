"""Keys and certificates: one authority, one identity a component, made with openssl."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from native_cluster import layout
from native_cluster.commands import run

VALID_DAYS = 365


@dataclass(frozen=True)
class Identity:
    """A client or server certificate."""

    name: str
    common_name: str
    organization: str = ""
    alternative_names: str = ""

    @property
    def certificate(self) -> Path:
        """Path of the certificate."""
        return layout.PKI / f"{self.name}.crt"

    @property
    def key(self) -> Path:
        """Path of the key."""
        return layout.PKI / f"{self.name}.key"


CA_CERTIFICATE = layout.PKI / "ca.crt"
CA_KEY = layout.PKI / "ca.key"
SERVICE_ACCOUNT_KEY = layout.PKI / "service-account.key"
SERVICE_ACCOUNT_PUBLIC = layout.PKI / "service-account.pub"

API_SERVER = Identity(
    "kube-apiserver",
    "kube-apiserver",
    alternative_names=(
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
        f"DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:{layout.NODE_IP},"
        f"IP:{layout.API_SERVICE_IP},IP:127.0.0.1"
    ),
)
KUBELET_SERVER = Identity(
    "kubelet-server",
    layout.NODE_NAME,
    alternative_names=f"DNS:{layout.NODE_NAME},IP:{layout.NODE_IP}",
)
ADMIN = Identity("admin", "serinus-admin", "system:masters")
API_TO_KUBELET = Identity("apiserver-kubelet-client", "kube-apiserver", "system:masters")
CONTROLLER_MANAGER = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "system:kube-scheduler")
KUBELET = Identity("kubelet", f"system:node:{layout.NODE_NAME}", "system:nodes")
PROXY = Identity("kube-proxy", "system:kube-proxy")
DNS = Identity("coredns", "serinus:coredns")
VOLUME_PROVISIONER = Identity("volume-provisioner", "serinus:volume-provisioner")
CLIENTS = (ADMIN, CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, DNS, VOLUME_PROVISIONER)
IDENTITIES = (*CLIENTS, API_SERVER, KUBELET_SERVER, API_TO_KUBELET)


def make_all() -> None:
    """Make what isn't there yet: authority, identities, service-account key, kubeconfigs."""
    layout.PKI.mkdir(parents=True, exist_ok=True, mode=0o700)
    layout.CONFIG.mkdir(parents=True, exist_ok=True)
    if not CA_KEY.exists():
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", CA_KEY)
        subject = "/CN=serinus-cluster"
        _openssl(
            "req",
            "-x509",
            "-new",
            "-key",
            CA_KEY,
            "-days",
            str(VALID_DAYS),
            "-subj",
            subject,
            "-out",
            CA_CERTIFICATE,
        )
    if not SERVICE_ACCOUNT_KEY.exists():
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", SERVICE_ACCOUNT_KEY)
        _openssl("ec", "-in", SERVICE_ACCOUNT_KEY, "-pubout", "-out", SERVICE_ACCOUNT_PUBLIC)
    for identity in IDENTITIES:
        if not identity.certificate.exists():
            _sign(identity)
    for identity in CLIENTS:
        kubeconfig_of(identity).touch(mode=0o600)
        kubeconfig_of(identity).write_text(_kubeconfig(identity))


def kubeconfig_of(identity: Identity) -> Path:
    """Path of the kubeconfig with which a component speaks to the API server."""
    return layout.CONFIG / f"{identity.name}.kubeconfig"


def _sign(identity: Identity) -> None:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", identity.key)
    organization = f"/O={identity.organization}" if identity.organization else ""
    request = layout.PKI / f"{identity.name}.csr"
    _openssl(
        "req",
        "-new",
        "-key",
        identity.key,
        "-subj",
        f"{organization}/CN={identity.common_name}",
        "-out",
        request,
    )
    extensions = layout.PKI / f"{identity.name}.ext"
    lines = ["extendedKeyUsage=clientAuth,serverAuth", "keyUsage=digitalSignature"]
    if identity.alternative_names:
        lines.append(f"subjectAltName={identity.alternative_names}")
    extensions.write_text("\n".join(lines) + "\n")
    _openssl(
        "x509",
        "-req",
        "-in",
        request,
        "-CA",
        CA_CERTIFICATE,
        "-CAkey",
        CA_KEY,
        "-CAcreateserial",
        "-days",
        str(VALID_DAYS),
        "-extfile",
        extensions,
        "-out",
        identity.certificate,
    )
    request.unlink()
    extensions.unlink()


def _kubeconfig(identity: Identity) -> str:
    def encoded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    cluster = {"server": layout.API_URL, "certificate-authority-data": encoded(CA_CERTIFICATE)}
    user = {
        "client-certificate-data": encoded(identity.certificate),
        "client-key-data": encoded(identity.key),
    }
    context = {"cluster": "serinus", "user": identity.name, "namespace": "default"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "serinus", "cluster": cluster}],
            "users": [{"name": identity.name, "user": user}],
            "contexts": [{"name": "serinus", "context": context}],
            "current-context": "serinus",
        },
        indent=1,
    )


def _openssl(*words: str | Path) -> None:
    run("openssl", ["openssl", *words])
