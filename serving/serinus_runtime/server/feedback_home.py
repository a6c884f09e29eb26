"""Which pod counts the labels of a prediction, so that a label sent twice counts once.

The pod that made the prediction, while it is there: an id carries a tag of its address. After that
the pod that the id's hash names among those that are there (rendezvous hashing: where a pod comes
or goes, only the ids that it takes or leaves change their home). A function of the id and of who
is there, so all pods that see the same pods agree.

It holds while the pods see the same pods and the home keeps running. A label that is sent again
after its home has ended or restarted, or within the moment in which some pods don't see a new one
yet, may count a second time: what was counted is remembered in the home's memory only.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from functools import lru_cache

TAG_BYTES = 4


@lru_cache(maxsize=4096)
def tag_of(address: str) -> bytes:
    """The first bytes of the ids that the pod with this address makes."""
    return hashlib.sha256(address.encode()).digest()[:TAG_BYTES]


def homes(unique: bytes, addresses: Iterable[str]) -> tuple[str, ...]:
    """All addresses in the order in which they are to count the labels of an id."""
    makers = unique[:TAG_BYTES]

    def rank(address: str) -> tuple[bool, bytes]:
        return tag_of(address) == makers, hashlib.sha256(unique + address.encode()).digest()

    return tuple(sorted(set(addresses), key=rank, reverse=True))


def same_text(address: str) -> str:
    """An IP address as everybody writes it."""
    return ipaddress.ip_address(address.partition("%")[0]).compressed
