"""Bridges, routes and rules of the native cluster, and their removal.

Nothing that is sent to a pod or a Service may leave the machine: the pod range is unreachable
where no pod answers, the Service range ends on the node's own bridge, and pods have no way out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from pathlib import Path

from native_cluster import layout
from native_cluster.commands import run, succeeds
from native_cluster.terminal import ClusterError

UNREACHABLE_METRIC = "4278198272"
NFT_TABLE = "serinus-cluster"
TABLES = (("inet", NFT_TABLE), ("ip", "kube-proxy"), ("ip6", "kube-proxy"))
BRIDGES = {
    layout.NODE_BRIDGE: f"{layout.NODE_IP}/{layout.NODE_PREFIX}",
    layout.POD_BRIDGE: f"{layout.POD_GATEWAY}/{IPv4Network(layout.POD_RANGE).prefixlen}",
}
RANGES = (
    str(IPv4Network(f"{layout.NODE_IP}/{layout.NODE_PREFIX}", strict=False)),
    layout.POD_RANGE,
    layout.SERVICE_RANGE,
)

# Pods reach pods, Services and the node; nothing else, not even the machine's other addresses.
NFT_RULES = f"""
table inet {NFT_TABLE}
delete table inet {NFT_TABLE}
table inet {NFT_TABLE} {{
  chain forward {{
    type filter hook forward priority filter - 10; policy accept;
    iifname "{layout.POD_BRIDGE}" oifname != "{layout.POD_BRIDGE}" drop
    oifname "{layout.POD_BRIDGE}" iifname != "{layout.POD_BRIDGE}" drop
  }}
  chain input {{
    type filter hook input priority filter - 10; policy accept;
    ct state established,related accept
    iifname "{layout.POD_BRIDGE}" ip daddr != {{ {", ".join(RANGES)} }} drop
  }}
}}
"""


def set_up() -> None:
    """Make what isn't there yet.

    Raises
    ------
    ClusterError
        If the machine uses one of the ranges for something else.
    """
    foreign = conflicts(_routes())
    if foreign:
        raise ClusterError(
            "network", f"{', '.join(RANGES)} are needed, and in use here: {', '.join(foreign)}"
        )
    for bridge, address in BRIDGES.items():
        if not _exists(bridge):
            _ip("link", "add", bridge, "type", "bridge")
            _write(f"net/ipv6/conf/{bridge}/disable_ipv6", "1")
        _ip("addr", "replace", address, "dev", bridge)
        _ip("link", "set", bridge, "up")
    # Pods reach each other's Services by way of the node. Only here: the machine doesn't forward.
    _write(f"net/ipv4/conf/{layout.POD_BRIDGE}/forwarding", "1")
    _ip("route", "replace", layout.SERVICE_RANGE, "dev", layout.NODE_BRIDGE, "src", layout.NODE_IP)
    _ip("route", "replace", "unreachable", layout.POD_RANGE, "metric", UNREACHABLE_METRIC)
    run("nftables", ["nft", "-f", "-"], stdin=NFT_RULES)


def is_set_up() -> bool:
    """Whether bridges, routes and rules are there."""
    targets = {(route.get("type"), route.get("dst")) for route in _routes()}
    return (
        all(_exists(bridge) for bridge in BRIDGES)
        and (None, layout.SERVICE_RANGE) in targets
        and ("unreachable", layout.POD_RANGE) in targets
        and succeeds(["nft", "list", "chain", "inet", NFT_TABLE, "input"])
    )


def tear_down() -> None:
    """Remove all of it, also what kube-proxy made."""
    for family, table in TABLES:
        succeeds(["nft", "delete", "table", family, table])
    for bridge in BRIDGES:
        if _exists(bridge):
            _ip("link", "delete", bridge)
    for route in _routes():
        if route.get("dst") == layout.POD_RANGE and route.get("type") == "unreachable":
            _ip("route", "delete", "unreachable", layout.POD_RANGE, "metric", UNREACHABLE_METRIC)


def left_over() -> list[str]:
    """What is still there of it, in words."""
    found = [f"interface {bridge}" for bridge in BRIDGES if _exists(bridge)]
    found += [f"route to {route['dst']}" for route in _routes() if route.get("dst") in RANGES]
    return found + [
        f"nft table {family} {table}"
        for family, table in TABLES
        if succeeds(["nft", "list", "table", family, table])
    ]


def conflicts(routes: Iterable[Mapping[str, str]]) -> list[str]:
    """Routes of others, as `ip -j route` tells them, that overlap the cluster's ranges."""
    ours = [IPv4Network(text) for text in RANGES]
    found = []
    for route in routes:
        target = route.get("dst", "default")
        if target == "default" or route.get("dev") in BRIDGES or route.get("type"):
            continue
        if any(IPv4Network(target, strict=False).overlaps(network) for network in ours):
            found.append(f"{target} dev {route.get('dev', '?')}")
    return found


def _routes() -> list[dict[str, str]]:
    routes: list[dict[str, str]] = json.loads(run("network", ["ip", "-j", "-4", "route"]) or "[]")
    return routes


def _exists(interface: str) -> bool:
    return Path(f"/sys/class/net/{interface}").exists()


def _write(setting: str, value: str) -> None:
    path = Path("/proc/sys") / setting
    if path.exists():
        path.write_text(value)


def _ip(*words: str) -> None:
    run("network", ["ip", *words])
