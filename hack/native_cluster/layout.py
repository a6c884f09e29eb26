"""Where everything is: folders, addresses and ports of the native cluster."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TOOL_MODULES = CHECKOUT / "hack" / "tools"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "serinus"

STATE = Path("/var/lib/serinus-cluster")
"""All that the cluster keeps; `down` removes it."""
LOGS = STATE / "logs"
PKI = STATE / "pki"
CONFIG = STATE / "config"
PIDS = STATE / "pids"
VOLUMES = STATE / "volumes"
RUN = Path("/run/serinus-cluster")
"""Sockets and container mounts."""
LOCK_FILE = Path("/var/lock/serinus-cluster.lock")
PACKAGES_LOCK_FILE = Path("/var/lock/serinus-packages.lock")
"""Held while packages are installed: `apt-get update` waits for nobody, it fails."""
KUBECONFIG = CONFIG / "admin.kubeconfig"
AUDIT_LOG = LOGS / "audit.json"
CONTAINERD_SOCKET = RUN / "containerd.sock"
CNI_PLUGINS = Path("/usr/lib/cni")
SHARING = STATE / "sharing.json"

# Everything but etcd listens on the node's own address, so that no port of the machine is taken.
NODE_NAME = "serinus"
NODE_BRIDGE = "serinus0"
NODE_IP = "10.211.0.1"
NODE_PREFIX = 24
POD_BRIDGE = "serinus-cni0"
POD_RANGE = "10.212.0.0/16"
POD_GATEWAY = "10.212.0.1"
SERVICE_RANGE = "10.213.0.0/16"
API_SERVICE_IP = "10.213.0.1"
API_PORT = 6443
API_URL = f"https://{NODE_IP}:{API_PORT}"
ETCD_CLIENT_PORT = 23790
ETCD_PEER_PORT = 23800
DNS_HEALTH_PORT = 8054
DNS_READY_PORT = 8055
CONTROLLER_PORT = 10257
SCHEDULER_PORT = 10259
PROXY_HEALTH_PORT = 10256
KUBELET_HEALTH_PORT = 10248
PROXY_METRICS_PORT = 10249
STORAGE_CLASS = "standard"
PROVISIONER = "serinus.dev/local-volumes"
