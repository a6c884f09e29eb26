"""Addresses as they may be told: without what somebody may have hidden in them.

A password before the host or a signature in the query opens the door for whoever reads it; neither
goes into manifests, messages or logs. A signature that is renewed makes no other snapshot, too.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from serinus.api.featureset import FeatureSetSpec, Source

_HIDDEN = "…"


def public_address(uri: str) -> str:
    """`uri` without user, password, query and fragment; `file://` has none of them."""
    if not is_remote(uri):
        return uri
    try:
        parts = urlsplit(uri)
    except ValueError:
        return f"{uri.partition(':')[0]}://{_HIDDEN}"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def names_a_user(uri: str) -> bool:
    """Whether a user, and maybe a password, stands before the host."""
    try:
        return is_remote(uri) and "@" in urlsplit(uri).netloc
    except ValueError:
        return True


def is_remote(uri: str) -> bool:
    """Whether it is fetched over the network."""
    return uri.lower().startswith(("http://", "https://"))


def with_public_addresses(spec: FeatureSetSpec) -> FeatureSetSpec:
    """The spec as it may be written down."""
    return spec.model_copy(update={"sources": [_public_source(item) for item in spec.sources]})


def _public_source(source: Source) -> Source:
    if source.files is None:
        return source
    uris = [public_address(uri) for uri in source.files.uris]
    return source.model_copy(update={"files": source.files.model_copy(update={"uris": uris})})
