"""Configuration files of the components, written before they start."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from native_cluster import layout, pki

CONTAINERD_CONFIG = layout.CONFIG / "containerd.toml"
KUBELET_CONFIG = layout.CONFIG / "kubelet.json"
PROXY_CONFIG = layout.CONFIG / "kube-proxy.json"
COREFILE = layout.CONFIG / "Corefile"
CNI_CONFIG = layout.CONFIG / "cni" / "10-serinus.conflist"
AUDIT_POLICY = layout.CONFIG / "audit-policy.yaml"
RESOLV_CONF = layout.CONFIG / "resolv.conf"
VOLUME_PROVISIONER = layout.CONFIG / "volume_provisioner.py"
VOLUME_PROVISIONER_CONFIG = layout.CONFIG / "volume-provisioner.json"
PYTHON = layout.CONFIG / "python"
"""The Python that made the cluster: whoever calls with another one restarts nothing."""
_VOLUME_PROVISIONER_SOURCE = Path(__file__).with_name("volume_provisioner.py")
PAUSE_IMAGE = "serinus.dev/pause:2"


def containerd_config() -> str:
    """Render containerd's configuration.

    `restrict_oom_score_adj` because runc can't lower the score without CAP_SYS_RESOURCE.
    """
    return f"""version = 2
root = "{layout.STATE / "containerd"}"
state = "{layout.RUN / "containerd"}"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", \
"io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "{layout.CONTAINERD_SOCKET}"
[ttrpc]
  address = "{layout.CONTAINERD_SOCKET}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{layout.RUN / "runc"}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{layout.CNI_PLUGINS}"
    conf_dir = "{CNI_CONFIG.parent}"
"""


def cni_config() -> str:
    """Render the pods' network: one bridge, addresses from the pod range, no way out.

    Without host ports: they would take iptables rules that outlive the cluster.
    """
    bridge = {
        "type": "bridge",
        "bridge": layout.POD_BRIDGE,
        "isGateway": False,  # bridge and address are ours; the plugin would change ip_forward
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.STATE / "cni"),
            "ranges": [[{"subnet": layout.POD_RANGE, "gateway": layout.POD_GATEWAY}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return json.dumps({"cniVersion": "1.0.0", "name": "serinus", "plugins": [bridge]}, indent=1)


def kubelet_config() -> str:
    """Render the kubelet's configuration for a node without systemd, on cgroup v1 or v2."""
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": layout.NODE_IP,
            "healthzBindAddress": layout.NODE_IP,
            "healthzPort": layout.KUBELET_HEALTH_PORT,
            "readOnlyPort": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki.CA_CERTIFICATE)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki.KUBELET_SERVER.certificate),
            "tlsPrivateKeyFile": str(pki.KUBELET_SERVER.key),
            "containerRuntimeEndpoint": f"unix://{layout.CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,  # lowering it needs privileges that the machine may not give
            "makeIPTablesUtilChains": False,  # leave the machine's iptables alone
            "volumePluginDir": str(layout.STATE / "kubelet" / "volume-plugins"),
            "clusterDomain": "cluster.local",
            "clusterDNS": [layout.NODE_IP],
            "resolvConf": str(RESOLV_CONF),
            "maxPods": 200,
            "podLogsDir": str(layout.LOGS / "pods"),
            "serializeImagePulls": False,
            "imageGCHighThresholdPercent": 100,
            "imageMaximumGCAge": "0s",
            "evictionHard": {
                "memory.available": "200Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "syncFrequency": "10s",
            "fileCheckFrequency": "20s",
            "nodeStatusUpdateFrequency": "10s",
        },
        indent=1,
    )


def proxy_config() -> str:
    """Render kube-proxy's configuration.

    Answers of a pod to another pod on the same bridge must come back through the node, or the
    Service's address isn't put back: hence `masqueradeAll`.
    """
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(pki.kubeconfig_of(pki.PROXY))},
            "mode": "nftables",
            "nftables": {"masqueradeAll": True, "syncPeriod": "30s", "minSyncPeriod": "100ms"},
            "clusterCIDR": layout.POD_RANGE,
            "hostnameOverride": layout.NODE_NAME,
            "healthzBindAddress": f"{layout.NODE_IP}:{layout.PROXY_HEALTH_PORT}",
            "metricsBindAddress": f"{layout.NODE_IP}:{layout.PROXY_METRICS_PORT}",
            "nodePortAddresses": [f"{layout.NODE_IP}/32"],
            # The machine's own limits are left alone.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "oomScoreAdj": 0,
        },
        indent=1,
    )


def corefile() -> str:
    """Render CoreDNS' configuration: the cluster's names, and a clear no to all others."""
    return f""".:53 {{
    bind {layout.NODE_IP}
    errors
    health {layout.NODE_IP}:{layout.DNS_HEALTH_PORT}
    ready {layout.NODE_IP}:{layout.DNS_READY_PORT}
    kubernetes cluster.local {{
        kubeconfig {pki.kubeconfig_of(pki.DNS)} serinus
        pods insecure
        ttl 5
    }}
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
    cache 5
}}
"""


def audit_policy() -> str:
    """Render the audit policy: who did what, no bodies; reads by components are left out."""
    return """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
  userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
- level: None
  nonResourceURLs: ["/healthz*", "/readyz*", "/livez*", "/openapi*", "/apis*", "/api*"]
- level: Metadata
"""


def volume_provisioner_config() -> str:
    """Render what the volume provisioner is told."""
    return json.dumps(
        {
            "server": layout.API_URL,
            "authority": str(pki.CA_CERTIFICATE),
            "certificate": str(pki.VOLUME_PROVISIONER.certificate),
            "key": str(pki.VOLUME_PROVISIONER.key),
            "folder": str(layout.VOLUMES),
            "node": layout.NODE_NAME,
            "provisioner": layout.PROVISIONER,
        },
        indent=1,
    )


def all_texts() -> dict[Path, str]:
    """Render all files of configuration; those that hold keys are `pki`'s."""
    return {
        CONTAINERD_CONFIG: containerd_config(),
        CNI_CONFIG: cni_config(),
        KUBELET_CONFIG: kubelet_config(),
        PROXY_CONFIG: proxy_config(),
        COREFILE: corefile(),
        AUDIT_POLICY: audit_policy(),
        RESOLV_CONF: "options ndots:5\n",
        VOLUME_PROVISIONER: _VOLUME_PROVISIONER_SOURCE.read_text(),
        VOLUME_PROVISIONER_CONFIG: volume_provisioner_config(),
    }


def write_all() -> None:
    """Write the files that differ; kube-proxy ends when its file is written again."""
    for path, text in all_texts().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    if not PYTHON.exists():
        PYTHON.unlink(missing_ok=True)
        PYTHON.symlink_to(Path(sys.executable).resolve())
