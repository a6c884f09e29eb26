"""One question to one hook over HTTP: bounded in time and size, and never an error."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from serinus.api.hooks import TOLD_MAX_LENGTH, HookAnswer
from serinus.hooks.declared import DeclaredHook
from serinus.hooks.payload import body_for
from serinus.reconcile.snapshot import HookQuestion

READ_MAX_BYTES = 2048
"""Of an answer's body; what comes after isn't waited for."""
HIDDEN = "***"
_SECRET_MIN_LENGTH = 4
_KEY_MIN_LENGTH = 16
"""A path, or a part of one, that is so long may be a key; a shorter one is a word."""
_SECRET_FILE_MAX_BYTES = 16_384

Said = tuple[HookAnswer, str]
"""What a hook said, and that in words for people."""


class _UnusableError(Exception):
    """Why it can't even be called; the text holds no secret."""


async def ask(session: aiohttp.ClientSession, hook: DeclaredHook, question: HookQuestion) -> Said:
    """What the hook says now. It raises nothing: whatever goes wrong is no answer."""
    try:
        url, headers = _address(hook), _headers(hook)
    except _UnusableError as error:
        return HookAnswer.NOTHING, str(error)
    try:
        async with session.post(
            url,
            data=body_for(question, hook.metadata),
            headers={"Content-Type": "application/json", **headers},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=hook.timeout_seconds),
        ) as response:
            body = await response.content.read(READ_MAX_BYTES)
            told = _shown(body, hidden={*_secrets_of(url), *_words(headers.values())})
            return _said(response.status, told)
    except TimeoutError:
        return HookAnswer.NOTHING, f"no answer within {hook.timeout_seconds:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # Not its text: it may hold the address, which is a secret.
        return HookAnswer.NOTHING, f"it can't be reached: {type(error).__name__}"


def _said(status: int, told: str) -> Said:
    if 200 <= status < 300:
        return HookAnswer.YES, _cut(f"HTTP {status}{told}")
    if 300 <= status < 400:
        return HookAnswer.NO, f"HTTP {status}: redirects aren't followed"
    return HookAnswer.NO, _cut(f"HTTP {status}{told}")


def _address(hook: DeclaredHook) -> str:
    url = _read(hook.url_file, "its address").strip()
    if not url.startswith(("https://", "http://")):
        raise _UnusableError("its address is no http(s) URL")
    return url


def _headers(hook: DeclaredHook) -> Mapping[str, str]:
    if hook.headers_file is None:
        return {}
    found = {}
    for line in _read(hook.headers_file, "its headers").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip()] = value.strip()
        elif line.strip():
            raise _UnusableError("its headers aren't lines `Name: value`")
    return found


def _read(path: Path, what: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_SECRET_FILE_MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise _UnusableError(f"{what} can't be read: {type(error).__name__}") from error


def _shown(body: bytes, *, hidden: Collection[str]) -> str:
    """The answer's text as one line of printable signs, without what was sent in secret."""
    text = body.decode("utf-8", errors="replace")
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= _SECRET_MIN_LENGTH:
            text = text.replace(secret, HIDDEN)
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return f": {line}" if line else ""


def _words(values: Iterable[str]) -> set[str]:
    """Headers and their words: a receiver that complains repeats the token, not the header."""
    return {one for value in values for one in (value, *value.split())}


def _secrets_of(url: str) -> set[str]:
    """What of an address may be secret: keys in its path, its query and each value, a password."""
    parts = urlsplit(url)
    values = {value for _, value in parse_qsl(parts.query)}
    path = parts.path.strip("/")
    keys = {one for one in (path, *path.split("/")) if len(one) >= _KEY_MIN_LENGTH}
    return {url, parts.query, parts.password or "", *values, *keys}


def _cut(text: str) -> str:
    return text if len(text) <= TOLD_MAX_LENGTH else f"{text[: TOLD_MAX_LENGTH - 1]}…"
