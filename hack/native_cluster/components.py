"""The cluster's processes in the order in which they start: their arguments and health checks."""

from __future__ import annotations

from native_cluster import health, layout, pki, tools
from native_cluster.configuration import (
    AUDIT_POLICY,
    CONTAINERD_CONFIG,
    COREFILE,
    KUBELET_CONFIG,
    PROXY_CONFIG,
    PYTHON,
    VOLUME_PROVISIONER,
    VOLUME_PROVISIONER_CONFIG,
)
from native_cluster.health import answers
from native_cluster.processes import Daemon


def _kube(program: str) -> str:
    return str(tools.path_of(tools.KUBERNETES, program))


def containerd() -> Daemon:
    """Runs containers."""
    return Daemon(
        "containerd",
        ["containerd", "--config", str(CONTAINERD_CONFIG)],
        health.containerd_is_well,
        reads=(CONTAINERD_CONFIG,),
    )


def etcd() -> Daemon:
    """Keeps the objects; without fsync, because nothing here outlives the machine."""
    client = f"http://127.0.0.1:{layout.ETCD_CLIENT_PORT}"
    peer = f"http://127.0.0.1:{layout.ETCD_PEER_PORT}"
    return Daemon(
        "etcd",
        [
            str(tools.path_of(tools.ETCD)),
            "--name=serinus",
            f"--data-dir={layout.STATE / 'etcd'}",
            "--unsafe-no-fsync=true",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=serinus={peer}",
            "--log-level=warn",
        ],
        answers(f"{client}/health"),
    )


def kube_apiserver() -> Daemon:
    """The API server, reachable on the node's bridge only."""
    return Daemon(
        "kube-apiserver",
        [
            _kube("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{layout.ETCD_CLIENT_PORT}",
            f"--bind-address={layout.NODE_IP}",
            f"--advertise-address={layout.NODE_IP}",
            f"--secure-port={layout.API_PORT}",
            f"--service-cluster-ip-range={layout.SERVICE_RANGE}",
            f"--tls-cert-file={pki.API_SERVER.certificate}",
            f"--tls-private-key-file={pki.API_SERVER.key}",
            f"--client-ca-file={pki.CA_CERTIFICATE}",
            f"--kubelet-client-certificate={pki.API_TO_KUBELET.certificate}",
            f"--kubelet-client-key={pki.API_TO_KUBELET.key}",
            f"--kubelet-certificate-authority={pki.CA_CERTIFICATE}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-key-file={pki.SERVICE_ACCOUNT_PUBLIC}",
            f"--service-account-signing-key-file={pki.SERVICE_ACCOUNT_KEY}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--anonymous-auth=true",
            f"--audit-policy-file={layout.CONFIG / 'audit-policy.yaml'}",
            f"--audit-log-path={layout.AUDIT_LOG}",
            "--audit-log-maxsize=200",
            "--audit-log-maxbackup=2",
            "--event-ttl=1h",
        ],
        answers(f"{layout.API_URL}/readyz"),
        reads=(pki.CA_CERTIFICATE, AUDIT_POLICY),
        start_timeout_seconds=90,
    )


def kube_controller_manager() -> Daemon:
    """Runs the controllers of the built-in kinds."""
    kubeconfig = pki.kubeconfig_of(pki.CONTROLLER_MANAGER)
    return Daemon(
        "kube-controller-manager",
        [
            _kube("kube-controller-manager"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={layout.NODE_IP}",
            f"--secure-port={layout.CONTROLLER_PORT}",
            f"--root-ca-file={pki.CA_CERTIFICATE}",
            f"--service-account-private-key-file={pki.SERVICE_ACCOUNT_KEY}",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            f"--flex-volume-plugin-dir={layout.STATE / 'kubelet' / 'volume-plugins'}",
            # Tests make hundreds of objects at once and wait for what becomes of them.
            "--kube-api-qps=100",
            "--kube-api-burst=200",
            "--controllers=*,-cloud-node-lifecycle-controller,-service-lb-controller",
        ],
        answers(f"https://{layout.NODE_IP}:{layout.CONTROLLER_PORT}/healthz"),
        reads=(kubeconfig,),
    )


def kube_scheduler() -> Daemon:
    """Finds a node for each pod."""
    kubeconfig = pki.kubeconfig_of(pki.SCHEDULER)
    return Daemon(
        "kube-scheduler",
        [
            _kube("kube-scheduler"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={layout.NODE_IP}",
            f"--secure-port={layout.SCHEDULER_PORT}",
            "--leader-elect=false",
        ],
        answers(f"https://{layout.NODE_IP}:{layout.SCHEDULER_PORT}/healthz"),
        reads=(kubeconfig,),
    )


def kubelet() -> Daemon:
    """Runs the pods of the only node."""
    return Daemon(
        "kubelet",
        [
            _kube("kubelet"),
            f"--config={KUBELET_CONFIG}",
            f"--kubeconfig={pki.kubeconfig_of(pki.KUBELET)}",
            f"--root-dir={layout.STATE / 'kubelet'}",
            f"--hostname-override={layout.NODE_NAME}",
            f"--node-ip={layout.NODE_IP}",
        ],
        answers(f"http://{layout.NODE_IP}:{layout.KUBELET_HEALTH_PORT}/healthz"),
        reads=(KUBELET_CONFIG, pki.kubeconfig_of(pki.KUBELET)),
    )


def kube_proxy() -> Daemon:
    """Leads Service addresses to pods."""
    return Daemon(
        "kube-proxy",
        [_kube("kube-proxy"), f"--config={PROXY_CONFIG}"],
        answers(f"http://{layout.NODE_IP}:{layout.PROXY_HEALTH_PORT}/healthz"),
        reads=(PROXY_CONFIG, pki.kubeconfig_of(pki.PROXY)),
    )


def coredns() -> Daemon:
    """Answers names below cluster.local, on the node's bridge, and no others."""
    return Daemon(
        "coredns",
        [str(tools.path_of(tools.COREDNS)), "-conf", str(COREFILE)],
        answers(f"http://{layout.NODE_IP}:{layout.DNS_READY_PORT}/ready"),
        reads=(COREFILE, pki.kubeconfig_of(pki.DNS)),
    )


def volume_provisioner() -> Daemon:
    """Makes volumes for claims of the default class."""
    return Daemon(
        "volume-provisioner",
        [
            *(str(PYTHON), "-I", str(VOLUME_PROVISIONER)),
            *("--config", str(VOLUME_PROVISIONER_CONFIG)),
        ],
        lambda: None,
        reads=(VOLUME_PROVISIONER, VOLUME_PROVISIONER_CONFIG),
    )


def before_objects() -> tuple[Daemon, ...]:
    """What must run before objects can be made. Containerd comes along: it needs none of them."""
    return (etcd(), containerd(), kube_apiserver())


def after_objects() -> tuple[Daemon, ...]:
    """What needs the API server and the rights that are given there."""
    return (
        kube_controller_manager(),
        kube_scheduler(),
        kubelet(),
        kube_proxy(),
        coredns(),
        volume_provisioner(),
    )


def every() -> tuple[Daemon, ...]:
    """All of them, in the order in which they start."""
    return (*before_objects(), *after_objects())
