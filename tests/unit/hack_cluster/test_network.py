"""Ranges, rules, and what lies in their way."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from native_cluster import layout, network


def test_no_two_ranges_overlap() -> None:
    ranges = [IPv4Network(text) for text in network.RANGES]

    assert not any(one.overlaps(other) for one in ranges for other in ranges if one is not other)


def test_each_address_is_in_its_range() -> None:
    nodes, pods, services = (IPv4Network(text) for text in network.RANGES)

    assert IPv4Address(layout.NODE_IP) in nodes
    assert IPv4Address(layout.POD_GATEWAY) in pods
    assert IPv4Address(layout.API_SERVICE_IP) in services


@pytest.mark.parametrize(
    "route",
    [
        pytest.param({"dst": "default", "dev": "eth0"}, id="the way out"),
        pytest.param({"dst": "192.0.2.0/24", "dev": "eth0"}, id="a range of its own"),
        pytest.param({"dst": "192.0.2.7", "dev": "eth0"}, id="a single host"),
        pytest.param({"dst": layout.POD_RANGE, "dev": layout.POD_BRIDGE}, id="our own bridge"),
        pytest.param({"dst": layout.POD_RANGE, "type": "unreachable"}, id="our own dead end"),
    ],
)
def test_what_doesn_t_touch_the_ranges_is_no_conflict(route: dict[str, str]) -> None:
    assert not network.conflicts([route])


@pytest.mark.parametrize("target", ["10.0.0.0/8", "10.212.7.0/24", layout.SERVICE_RANGE])
def test_a_range_in_use_is_named_with_its_interface(target: str) -> None:
    assert network.conflicts([{"dst": target, "dev": "wg0"}]) == [f"{target} dev wg0"]


def test_rules_can_be_loaded_again_over_themselves() -> None:
    lines = network.NFT_RULES.strip().splitlines()

    assert lines[:2] == ["table inet serinus-cluster", "delete table inet serinus-cluster"]
