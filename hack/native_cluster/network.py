"""Bridges, routes and rules of the native cluster, and their removal.

Nothing that is sent to a pod or a Service may leave the machine: the pod range is unreachable
where no pod answers, the Service range ends on the node's own bridge, and pods have no way out.
"""

from __future__ import annotations

import json
from pathlib import Path

from native_cluster import layout
from native_cluster.commands import run, succeeds

UNREACHABLE_METRIC = "4278198272"
NFT_TABLE = "serinus-cluster"
KUBE_PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
_SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/bridge/bridge-nf-call-iptables",
)
_SAVED_SYSCTLS = layout.STATE / "sysctls.json"

NFT_RULES = f"""
table inet {NFT_TABLE} {{
  chain forward {{
    type filter hook forward priority filter - 10; policy accept;
    iifname "{layout.POD_BRIDGE}" oifname != "{layout.POD_BRIDGE}" drop
    oifname "{layout.POD_BRIDGE}" iifname != "{layout.POD_BRIDGE}" drop
  }}
}}
"""


def set_up() -> None:
    """Make what isn't there yet."""
    if not Path(f"/sys/class/net/{layout.NODE_BRIDGE}").exists():
        _ip("link", "add", layout.NODE_BRIDGE, "type", "bridge")
    _ip("addr", "replace", f"{layout.NODE_IP}/{layout.NODE_PREFIX}", "dev", layout.NODE_BRIDGE)
    _ip("link", "set", layout.NODE_BRIDGE, "up")
    _ip("route", "replace", layout.SERVICE_RANGE, "dev", layout.NODE_BRIDGE, "src", layout.NODE_IP)
    _ip("route", "replace", "unreachable", layout.POD_RANGE, "metric", UNREACHABLE_METRIC)
    _set_sysctls()
    succeeds(["nft", "delete", "table", "inet", NFT_TABLE])
    run("nftables", ["nft", "-f", "-"], stdin=NFT_RULES)


def is_set_up() -> bool:
    """Whether bridge, routes and rules are there."""
    return (
        Path(f"/sys/class/net/{layout.NODE_BRIDGE}").exists()
        and succeeds(["nft", "list", "table", "inet", NFT_TABLE])
        and bool(run("network", ["ip", "route", "show", layout.SERVICE_RANGE]).strip())
        and bool(run("network", ["ip", "route", "show", layout.POD_RANGE]).strip())
    )


def tear_down() -> None:
    """Remove all of it, also what kube-proxy and the pods' bridge plugin left."""
    for family, table in (("inet", NFT_TABLE), *KUBE_PROXY_TABLES):
        succeeds(["nft", "delete", "table", family, table])
    for bridge in (layout.POD_BRIDGE, layout.NODE_BRIDGE):
        if Path(f"/sys/class/net/{bridge}").exists():
            _ip("link", "delete", bridge)
    if run("network", ["ip", "route", "show", layout.POD_RANGE]).strip():
        _ip("route", "delete", "unreachable", layout.POD_RANGE, "metric", UNREACHABLE_METRIC)
    _restore_sysctls()


def _set_sysctls() -> None:
    saved = json.loads(_SAVED_SYSCTLS.read_text()) if _SAVED_SYSCTLS.exists() else {}
    for name in _SYSCTLS:
        path = Path("/proc/sys") / name
        if path.exists():
            saved.setdefault(name, path.read_text().strip())
            path.write_text("1")
    _SAVED_SYSCTLS.write_text(json.dumps(saved))


def _restore_sysctls() -> None:
    if not _SAVED_SYSCTLS.exists():
        return
    for name, value in json.loads(_SAVED_SYSCTLS.read_text()).items():
        (Path("/proc/sys") / name).write_text(value)


def _ip(*words: str) -> None:
    run("network", ["ip", *words])
