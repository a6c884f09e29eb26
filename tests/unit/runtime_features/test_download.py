"""Fetching over HTTP, from a real server on loopback."""

import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from serinus_runtime.features.download import HttpDownloader
from serinus_runtime.user_error import SourceError

CONTENT = b"x" * 100_000
fetch = HttpDownloader(patience_seconds=0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    failures_left = 0

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/missing":
                self.send_error(404)
            case "/passwd":
                self.redirect("file:///etc/passwd")
            case "/ftp":
                self.redirect("ftp://127.0.0.1/passwd")
            case "/vague":
                self.answer(CONTENT, declared="some")
            case "/moved":
                self.redirect("/data")
            case "/broken":
                self.send_error(500)
            case "/cut":
                self.answer(CONTENT, declared=len(CONTENT) + 10)
            case "/late" if Handler.failures_left:
                Handler.failures_left -= 1
                self.send_error(503)
            case _:
                self.answer(CONTENT, declared=len(CONTENT))

    def redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, content: bytes, *, declared: int | str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(declared))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/data", "/moved"])
def test_a_file_is_fetched_whole(site: str, path: str, tmp_path: Path) -> None:
    fetch(site + path, tmp_path / "x", 10**6)

    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/missing", "answers 404"),
        ("/passwd", "answers 302 Found to where it can't be followed"),
        ("/ftp", "redirects to an address"),
        ("/vague", "answers with a Content-Length that is no number"),
    ],
)
def test_a_final_answer_is_not_tried_again(site: str, path: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=told):
        HttpDownloader(patience_seconds=600)(site + path, tmp_path / "x", 10**6)


def test_a_file_over_the_bound_is_refused(site: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="needs more than the 0 MiB of disk that are left"):
        fetch(site + "/data", tmp_path / "x", 1000)


@pytest.mark.parametrize("path", ["/broken", "/cut"])
def test_what_may_go_away_fails_the_run(site: str, path: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="can't be fetched"):
        fetch(site + path, tmp_path / "x", 10**6)


def test_a_server_that_is_away_fails_the_run(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="can't be fetched"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x", 10**6)


@pytest.mark.slow
def test_a_server_that_is_starting_is_waited_for(site: str, tmp_path: Path) -> None:
    Handler.failures_left = 1

    HttpDownloader(patience_seconds=30)(site + "/late", tmp_path / "x", 10**6)

    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/missing?X-Signature=geheim", SourceError),
        ("/missing?X-Signature=geheim with a space", SourceError),
        ("/missing?X-Signature=geh\u00e9im", SourceError),
        ("/ftp?X-Signature=geheim", SourceError),
        ("/vague?X-Signature=geheim", SourceError),
        ("/broken?X-Signature=geheim", ConnectionError),
        ("/cut?X-Signature=geheim", ConnectionError),
    ],
)
def test_a_signature_is_neither_told_nor_logged(
    site: str,
    path: str,
    error: type[Exception],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(error) as raised:
        HttpDownloader(patience_seconds=0.1)(site + path, tmp_path / "x", 10**6)

    logged = [str(vars(record)) for record in caplog.records]
    shown = [*logged, *traceback.format_exception(raised.value)]
    assert site + path.partition("?")[0] in str(raised.value)
    assert not [line for line in shown if "Signature" in line.replace(path, "")]


def test_a_password_before_the_host_is_refused_without_telling_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^http://site/x is written with a user") as error:
        fetch("http://ann:geheim@site/x", tmp_path / "x", 10**6)

    assert "geheim" not in str(error.value)
