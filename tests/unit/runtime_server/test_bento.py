"""BentoML is imported when it is asked for, and not before."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.bento import LateBento
from serinus_runtime.server.errors import BadRequest, Overloaded, TooLarge

pytestmark = pytest.mark.slow

HEAVY = ("bentoml", "sklearn", "scipy", "skops", "pydantic", "pandas", "onnxruntime", "redis")


def test_the_server_starts_without_the_heavy_libraries() -> None:
    program = (
        f"import sys, serinus_runtime.server.main; print([m for m in {HEAVY} if m in sys.modules])"
    )

    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


@pytest.mark.timeout(120)
async def test_the_first_request_loads_it_and_the_end_closes_it(
    two_classes: Packaged, tmp_path: Path
) -> None:
    late = LateBento(load(two_classes.path, two_classes.digest), tmp_path)
    transport = httpx.ASGITransport(late)

    async with httpx.AsyncClient(transport=transport, base_url="http://pod") as client:
        first = await client.get("/livez")
        second = await client.get("/docs.json")
    await late.close()

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["info"]["title"] == "flight-delay"


async def test_what_was_never_loaded_closes_at_once(two_classes: Packaged, tmp_path: Path) -> None:
    await LateBento(load(two_classes.path, two_classes.digest), tmp_path).close()


def test_errors_bear_their_status() -> None:
    assert [error("x").status for error in (BadRequest, TooLarge, Overloaded)] == [400, 413, 503]
