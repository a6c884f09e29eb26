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

from serinus_runtime.features.addresses import is_remote, names_a_user, public_address
from serinus_runtime.features.disk_room import no_room
from serinus_runtime.user_error import SourceError

TRANSFER_SECONDS = 1800.0
SOCKET_TIMEOUT_SECONDS = 30.0
_BLOCK_BYTES = 1 << 20
_PAUSE_SECONDS = 1.0
_FINAL_CODES = range(300, 500)
_REDIRECTION_CODES = range(300, 400)
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
        if not is_remote(newurl):
            raise SourceError(
                f"{public_address(req.full_url)} redirects to an address that isn't http(s)"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, slots=True)
class HttpDownloader:
    """A `Downloader` over http(s); waits `patience_seconds` for a server that doesn't answer."""

    patience_seconds: float = 60.0

    def __call__(self, uri: str, target: Path, max_bytes: int) -> None:
        """Fetch `uri` into `target`, at most `max_bytes`."""
        address = public_address(uri)
        if names_a_user(uri):
            raise SourceError(
                f"{address} is written with a user before the host. Leave it out: whoever reads "
                "the FeatureSet would read it"
            )
        deadline = time.monotonic() + self.patience_seconds
        pause_seconds = _PAUSE_SECONDS
        while (problem := _problem(uri, address, target, max_bytes)) is not None:
            if time.monotonic() + pause_seconds > deadline:
                raise ConnectionError(f"{address} can't be fetched: {problem}")
            _log.warning("source not fetched", extra={"uri": address, "problem": problem})
            time.sleep(pause_seconds)
            pause_seconds *= 2


def _problem(uri: str, address: str, target: Path, max_bytes: int) -> str | None:
    """What went wrong that may go away; None if the file is there.

    Errors of the libraries are told in our words: theirs quote the address as it is.
    """
    try:
        _fetch(uri, address, target, max_bytes)
    except urllib.error.HTTPError as error:
        said = f"answers {error.code} {http.client.responses.get(error.code, '')}".strip()
        if error.code in _REDIRECTION_CODES:
            said += " to where it can't be followed"
        if error.code in _FINAL_CODES and error.code not in _PASSING_CODES:
            raise SourceError(f"{address} {said}. Correct `files.uris`") from None
        return said
    except urllib.error.URLError as error:
        return str(error.reason) if isinstance(error.reason, OSError) else type(error).__name__
    except OSError as error:
        return str(error)
    except (http.client.InvalidURL, ValueError):
        raise SourceError(f"{address} is no address: it holds characters to be escaped") from None
    except http.client.HTTPException as error:
        return type(error).__name__
    return None


def _fetch(uri: str, address: str, target: Path, max_bytes: int) -> None:
    opener = urllib.request.build_opener(_HttpOnly())
    request = urllib.request.Request(uri, headers={"User-Agent": "serinus"})  # noqa: S310
    deadline = time.monotonic() + TRANSFER_SECONDS
    with opener.open(request, timeout=SOCKET_TIMEOUT_SECONDS) as answer, target.open("wb") as out:
        declared = _declared_bytes(answer.headers.get("Content-Length"), address)
        received = 0
        while block := answer.read(_BLOCK_BYTES):
            received += len(block)
            if received > max_bytes:
                raise no_room(address, max_bytes)
            if time.monotonic() > deadline:
                raise TimeoutError(f"took longer than {TRANSFER_SECONDS:g} seconds")
            out.write(block)
    if declared is not None and received != declared:
        raise ConnectionError(f"ended after {received} of {declared} bytes")


def _declared_bytes(header: str | None, address: str) -> int | None:
    """Length that the answer announces; a server that announces no number can't be checked."""
    if header is None:
        return None
    if not (header.isascii() and header.isdecimal()):
        raise SourceError(f"{address} answers with a Content-Length that is no number")
    return int(header)
