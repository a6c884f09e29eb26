"""An id's labels are counted by its maker, else by whom its hash names."""

from collections import Counter

import pytest

from serinus_runtime.server.feedback_home import homes, same_text, tag_of

PODS = tuple(f"10.0.0.{number}" for number in range(1, 6))


def unique(maker: str, number: int = 0) -> bytes:
    return tag_of(maker) + number.to_bytes(4, "big")


@pytest.mark.parametrize("maker", PODS)
def test_the_maker_comes_first(maker: str) -> None:
    assert homes(unique(maker), PODS)[0] == maker


def test_ids_of_a_pod_that_is_gone_are_spread_over_the_others() -> None:
    first = Counter(homes(unique("10.0.0.9", number), PODS)[0] for number in range(5000))

    assert set(first) == set(PODS)
    assert all(800 < count < 1200 for count in first.values())


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("FD00:0:0::00A1", "fd00::a1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_has_one_text(written: str, same: str) -> None:
    assert same_text(written) == same


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        same_text("pod")
