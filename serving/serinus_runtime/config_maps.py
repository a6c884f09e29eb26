"""The ConfigMaps of one namespace, read from the API server by the pod's service account.

No Kubernetes client: one kind of request doesn't need one, and the image that trains has none.
"""

from __future__ import annotations

import json
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PAGE_ITEMS = 500
SOCKET_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Where the API server is, and who asks it."""

    url: str
    namespace: str
    token: str
    certificates: Path

    @staticmethod
    def of_pod(environment: Mapping[str, str], folder: Path = ACCOUNT_FOLDER) -> ServiceAccount:
        """The pod's own; raises `KeyError` or `OSError` where it has none."""
        host = environment["KUBERNETES_SERVICE_HOST"]
        host = f"[{host}]" if ":" in host else host
        return ServiceAccount(
            url=f"https://{host}:{environment['KUBERNETES_SERVICE_PORT']}",
            namespace=(folder / "namespace").read_text().strip(),
            token=(folder / "token").read_text().strip(),
            certificates=folder / "ca.crt",
        )


def config_maps(
    account: ServiceAccount, *, selector: str, page_items: int = PAGE_ITEMS
) -> Iterator[dict[str, Any]]:
    """Those that bear the labels, page by page.

    Raises
    ------
    OSError
        If the API server can't be reached, or refuses; `urllib.error.HTTPError` has its code.
    """
    context = ssl.create_default_context(cafile=str(account.certificates))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    query = {"labelSelector": selector, "limit": str(page_items)}
    path = f"{account.url}/api/v1/namespaces/{account.namespace}/configmaps"
    while True:
        request = urllib.request.Request(  # noqa: S310  the pod's API server
            f"{path}?{urllib.parse.urlencode(query)}",
            headers={"Authorization": f"Bearer {account.token}", "User-Agent": "serinus"},
        )
        with opener.open(request, timeout=SOCKET_TIMEOUT_SECONDS) as answer:
            page = json.load(answer)
        yield from page["items"]
        following = page["metadata"].get("continue")
        if not following:
            return
        query["continue"] = following
