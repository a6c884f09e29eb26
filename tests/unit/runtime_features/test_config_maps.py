"""Reading ConfigMaps of the namespace: pages, who asks, and what a refusal looks like."""

import json
import threading
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import certifi
import pytest

from serinus_runtime.config_maps import ServiceAccount, config_maps


@dataclass
class Pages:
    """An API server that has these names, two a page."""

    names: list[str]
    code: int = 200
    asked: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)

    def answer(self, path: str, authorization: str) -> bytes:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        self.asked.append((parts.path, authorization, query))
        start = int(query.get("continue", ["0"])[0])
        end = start + int(query["limit"][0])
        metadata = {"continue": str(end)} if end < len(self.names) else {}
        items = [{"metadata": {"name": name}} for name in self.names[start:end]]
        return json.dumps({"metadata": metadata, "items": items}).encode()


@pytest.fixture
def pages() -> Pages:
    return Pages(["a", "b", "c", "d", "e"])


@pytest.fixture
def account(pages: Pages) -> Iterator[ServiceAccount]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.answer(self.path, self.headers["Authorization"])
            self.send_response(pages.code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield ServiceAccount(url, "flights", "secret", Path(certifi.where()))
    server.shutdown()
    server.server_close()


def test_all_pages_are_read(account: ServiceAccount, pages: Pages) -> None:
    found = [one["metadata"]["name"] for one in config_maps(account, selector="x", page_items=2)]

    assert found == pages.names
    assert len(pages.asked) == 3


def test_it_asks_for_the_labels_in_its_own_namespace(account: ServiceAccount, pages: Pages) -> None:
    list(config_maps(account, selector="serinus.dev/record-of"))

    [(path, authorization, query)] = pages.asked
    assert path == "/api/v1/namespaces/flights/configmaps"
    assert authorization == "Bearer secret"
    assert query["labelSelector"] == ["serinus.dev/record-of"]


def test_a_refusal_is_no_empty_list(account: ServiceAccount, pages: Pages) -> None:
    pages.code = 403

    with pytest.raises(urllib.error.HTTPError) as refused:
        list(config_maps(account, selector="x"))

    assert refused.value.code == 403


@pytest.mark.parametrize(
    ("host", "url"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_a_pod_finds_the_api_server_by_its_environment(tmp_path: Path, host: str, url: str) -> None:
    (tmp_path / "namespace").write_text("flights")
    (tmp_path / "token").write_text("secret\n")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}

    account = ServiceAccount.of_pod(environment, tmp_path)

    assert account == ServiceAccount(url, "flights", "secret", tmp_path / "ca.crt")
