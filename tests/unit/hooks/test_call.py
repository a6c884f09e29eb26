"""One question over real HTTP: what counts as a yes, and what is told of an answer."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from serinus.api.hooks import TOLD_MAX_LENGTH, HookAnswer
from serinus.hooks.call import Said, ask
from serinus.hooks.declared import DeclaredHook
from tests.support.hook_receiver import SECRET_PATH, Answers, declared, hangs, receiving, says
from tests.unit.hooks.test_payload import QUESTION

pytestmark = pytest.mark.slow

YES, NO, NOTHING = HookAnswer


async def asked(hook: DeclaredHook) -> Said:
    async with aiohttp.ClientSession() as session:
        return await ask(session, hook, QUESTION)


async def answer_of(tmp_path: Path, answers: Answers, **changes: Any) -> Said:
    async with receiving(answers) as receiver:
        return await asked(declared(tmp_path, receiver.url, **changes))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_a_yes(tmp_path: Path, status: int) -> None:
    assert (await answer_of(tmp_path, says(status)))[0] is YES


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500, 503])
async def test_any_other_status_is_a_no_with_its_reason(tmp_path: Path, status: int) -> None:
    found = await answer_of(tmp_path, says(status, "not\nbefore\x00 noon"))

    assert found == (NO, f"HTTP {status}: not before noon")


async def test_a_redirect_is_a_no_and_isn_t_followed(tmp_path: Path) -> None:
    async with receiving(says(307, Location="/yes")) as receiver:
        found = await asked(declared(tmp_path, receiver.url))

        assert found == (NO, "HTTP 307: redirects aren't followed")
        assert len(receiver.bodies) == 1


async def test_one_that_hangs_gives_no_answer(tmp_path: Path) -> None:
    found = await answer_of(tmp_path, hangs, timeout_seconds=0.1)

    assert found == (NOTHING, "no answer within 0.1 s")


async def test_one_that_is_down_gives_no_answer(tmp_path: Path) -> None:
    found = await asked(declared(tmp_path, "http://127.0.0.1:1/correct-horse"))

    assert found == (NOTHING, "it can't be reached: ClientConnectorError")


async def test_a_long_answer_is_cut_and_an_endless_one_not_waited_for(tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=403)
        await response.prepare(request)
        while True:
            await response.write(b"no! " * 1000)

    found = await answer_of(tmp_path, endless, timeout_seconds=5)

    assert found[0] is NO
    assert len(found[1]) == TOLD_MAX_LENGTH


async def test_what_was_sent_in_secret_is_told_to_nobody(tmp_path: Path) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        told = f"{request.url} {request.path} {request.headers['Authorization']}"
        return web.Response(status=401, text=f"token {told.split()[-1]} refused: {told}")

    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer s3cr3t-token\n\nX-Team: ml\n")
    async with receiving(echo) as receiver:
        found = await asked(declared(tmp_path, receiver.url, headers_file=headers))

        assert receiver.headers[0]["X-Team"] == "ml"
        assert receiver.headers[0]["Content-Type"] == "application/json"
    assert found[0] is NO
    assert "s3cr3t" not in found[1]
    assert SECRET_PATH.strip("/") not in found[1]
    assert "token *** refused" in found[1]


@pytest.mark.parametrize(
    ("address", "echoed"),
    [
        ("{host}/hook?team=ml&token=s3cr3t", "no such token: s3cr3t"),
        ("{host}/services/T0AA/s3cr3t0123456789", "unknown: s3cr3t0123456789"),
        ("http://ada:s3cr3t@{authority}/gate", "s3cr3t is no password"),
    ],
)
async def test_no_part_of_an_address_that_may_be_secret_is_told(
    tmp_path: Path, address: str, echoed: str
) -> None:
    async with receiving(says(403, echoed)) as receiver:
        host = receiver.url.removesuffix(SECRET_PATH)
        url = address.format(host=host, authority=host.removeprefix("http://"))
        found = await asked(declared(tmp_path, url))

    assert found[1].startswith("HTTP 403: ")
    assert "s3cr3t" not in found[1]
    assert "***" in found[1]


@pytest.mark.parametrize(
    ("url", "headers", "told"),
    [
        (None, None, "its address can't be read: FileNotFoundError"),
        ("file:///etc/passwd", None, "its address is no http(s) URL"),
        ("http://127.0.0.1:1", "", "its headers can't be read: FileNotFoundError"),
        ("http://127.0.0.1:1", "s3cr3t", "its headers aren't lines `Name: value`"),
    ],
)
async def test_one_that_is_set_up_wrongly_gives_no_answer(
    tmp_path: Path, url: str | None, headers: str | None, told: str
) -> None:
    file = tmp_path / "headers"
    if headers:
        file.write_bytes(headers.encode())
    hook = declared(tmp_path, url or "", headers_file=file if headers is not None else None)
    if url is None:
        hook.url_file.unlink()

    assert await asked(hook) == (NOTHING, told)
