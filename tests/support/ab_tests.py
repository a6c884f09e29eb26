"""A/B tests: a world of name server, canary and clock around one pod."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from serinus.api.ab_test_document import AbTestDocument, UnitSource
from serinus_runtime.server.ab_test import AbTest
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.errors import Headers
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.request_body import Scope
from serinus_runtime.server.revision_connection import RevisionAnswer
from serinus_runtime.server.serving import Serving
from tests.support.model_servers import REVISION, Client

CANARY = "aaaaaaaaaa"
NOW = 1_700_000_000.0
DOCUMENT = AbTestDocument(
    test="1234567890",
    stable=REVISION,
    canary=CANARY,
    active_from=NOW,
    unit=UnitSource(header="X-User-Id"),
    canary_percent=50,
    salt="default/flight-delay",
)
OF_CANARY, OF_STABLE = b"2", b"4"
SAID = RevisionAnswer(Answer(200, b'{"predictions": []}'), CANARY)


def scope_of(unit: bytes | None, path: str = "/predict", *more: tuple[bytes, bytes]) -> Scope:
    headers = [(b"host", b"x"), *more]
    return {"path": path, "headers": [*headers, (b"x-user-id", unit)] if unit else headers}


@dataclass
class Elsewhere:
    """The name server, the canary's pods, and the clock."""

    folder: Path
    revision: str = REVISION
    found: Sequence[str] = ("10.0.0.9",)
    says: list[RevisionAnswer | Exception] = field(default_factory=list)
    hangs: bool = False
    is_open: bool = False
    now: float = NOW
    address: str | None = None
    asked: list[tuple[str, bytes, Headers]] = field(default_factory=list)
    marks: list[tuple[bytes, bytes]] = field(default_factory=list)
    closed: int = 0

    async def look_up(self) -> Sequence[str]:
        return self.found

    def connect(self, address: Callable[[], str | None], mark: tuple[bytes, bytes]) -> "Elsewhere":
        self.marks.append(mark)
        self.any_address = address
        return self

    async def ask(self, path: str, body: bytes, headers: Headers = ()) -> RevisionAnswer:
        self.address = self.any_address()
        self.asked.append((path, body, headers))
        if self.hangs:
            await asyncio.Event().wait()
        said = self.says.pop(0) if self.says else SAID
        if isinstance(said, Exception):
            self.is_open = False
            raise said
        self.is_open = True
        return said

    def close(self) -> None:
        self.closed += 1
        self.is_open = False

    def told(self, document: AbTestDocument | bytes | None) -> None:
        file = self.folder / "test.json"
        if document is None:
            file.unlink(missing_ok=True)
        elif isinstance(document, bytes):
            file.write_bytes(document)
        else:
            file.write_text(document.to_json())

    def pod(self, **changes: Any) -> tuple[AbTest, Metrics]:
        """A pod of `revision` that was told of the test with these changes."""
        self.told(replace(DOCUMENT, **changes))
        metrics = Metrics(deployment="d", revision=self.revision, model="m", digest="sha256:0")
        file = self.folder / "test.json"
        test = AbTest(file, self.look_up, self.connect, metrics, clock=lambda: self.now)
        return test, metrics

    def client(self, serving: Serving) -> Client:
        """A client of a server in which the test runs."""
        self.told(DOCUMENT)
        file = self.folder / "test.json"
        test = AbTest(file, self.look_up, self.connect, serving.metrics, clock=lambda: NOW)
        asyncio.run(test.look())
        return Client(replace(serving, ab_test=test))


def counts(client: Client, name: str, **labels: str) -> dict[str, float]:
    """Samples of exposed requests, and of the others."""
    text = client.get("/metrics").text
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    lines = [line for line in lines if all(f'{k}="{v}"' in line for k, v in labels.items())]
    split = {"exposed": 0.0, "others": 0.0}
    for line in lines:
        which = "exposed" if 'exposed="true"' in line else "others"
        split[which] += float(line.rsplit(" ", 1)[1])
    return split
