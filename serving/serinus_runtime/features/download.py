"""Fetching `http(s)://` sources: bounded in size and time, whole or not at all.

A server that doesn't answer is given a minute, for it may be starting; after that the run fails as
a whole and Kubernetes tries it again. An answer that says no (404, 403) is final.
"""

from __future__ import annotations

import http.client
import logging
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serinus_runtime.user_error import SourceError

TRANSFER_SECONDS = 1800.0
SOCKET_TIMEOUT_SECONDS = 30.0
_BLOCK_BYTES = 1 << 20
_PAUSE_SECONDS = 1.0
_FINAL_CODES = range(300, 500)
_PASSING_CODES = frozenset({408, 425, 429})

_log = logging.getLogger(__name__)


class Downloader(Protocol):
    """Fetches an address into a file.

    Raises `SourceError` where it makes no sense to try again, else `OSError`.
    """

    def __call__(self, uri: str, target: Path, max_bytes: int) -> None:
        """Fetch `uri` into `target`, at most `max_bytes`."""


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to `http(s)://` only."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if not newurl.lower().startswith(("http://", "https://")):
            raise SourceError(f"{req.full_url} redirects to an address that isn't http(s)")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, slots=True)
class HttpDownloader:
    """A `Downloader` over http(s); waits `patience_seconds` for a server that doesn't answer."""

    patience_seconds: float = 60.0

    def __call__(self, uri: str, target: Path, max_bytes: int) -> None:
        """Fetch `uri` into `target`, at most `max_bytes`."""
        deadline = time.monotonic() + self.patience_seconds
        pause_seconds = _PAUSE_SECONDS
        while (problem := _problem(uri, target, max_bytes)) is not None:
            if time.monotonic() + pause_seconds > deadline:
                raise ConnectionError(f"{uri} can't be fetched: {problem}") from problem
            _log.warning("source not fetched", extra={"uri": uri, "problem": str(problem)})
            time.sleep(pause_seconds)
            pause_seconds *= 2


def _problem(uri: str, target: Path, max_bytes: int) -> Exception | None:
    """What went wrong that may go away; None if the file is there."""
    try:
        _fetch(uri, target, max_bytes)
    except urllib.error.HTTPError as error:
        if error.code in _FINAL_CODES and error.code not in _PASSING_CODES:
            said = " ".join(str(error.reason).split())
            raise SourceError(f"{uri} answers {error.code} {said}") from error
        return error
    except (http.client.HTTPException, OSError) as error:
        return error
    return None


def _fetch(uri: str, target: Path, max_bytes: int) -> None:
    opener = urllib.request.build_opener(_HttpOnly())
    request = urllib.request.Request(uri, headers={"User-Agent": "serinus"})  # noqa: S310
    deadline = time.monotonic() + TRANSFER_SECONDS
    with opener.open(request, timeout=SOCKET_TIMEOUT_SECONDS) as answer, target.open("wb") as out:
        declared = answer.headers.get("Content-Length")
        received = 0
        while block := answer.read(_BLOCK_BYTES):
            received += len(block)
            if received > max_bytes:
                raise SourceError(f"{uri} is larger than {max_bytes} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{uri} took longer than {TRANSFER_SECONDS:g} seconds")
            out.write(block)
    if declared is not None and received != int(declared):
        raise ConnectionError(f"{uri} ended after {received} of {declared} bytes")
