"""A request that names an entity is answered by what a real server has of it, or as without."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.artifact.signature import Signature
from serinus_runtime.online.latest import NoTable
from serinus_runtime.online.server_rows import Reader
from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.hot_path import HotPath
from serinus_runtime.server.inference_service import InferenceService
from serinus_runtime.server.main import EXIT_REFUSED
from serinus_runtime.server.online_features import FollowedTable, OnlineFeatures
from serinus_runtime.server.online_places import ServerPlace
from serinus_runtime.server.prediction_paths import PredictionPaths
from serinus_runtime.store import Store
from tests.support.flight_requests import INFER, tensors
from tests.support.model_servers import (
    DEADLINE_SECONDS,
    Client,
    environment,
    logged,
    metric,
    not_here,
    server_process,
    started,
)
from tests.support.online_tables import (
    FLIGHT_FEATURES,
    FLIGHTS,
    KEYS,
    LEG_ENTITIES,
    a_spec,
    publish_on_server,
    publish_table,
    server_spec,
)
from tests.support.redis_server import RedisServer, a_redis_server
from tests.support.trained_models import INPUTS, NAMES

pytestmark = pytest.mark.slow

TABLE_SPEC = a_spec(LEG_ENTITIES, FLIGHT_FEATURES)
SIGNATURE = Signature(INPUTS, ())
PASSWORD = "of the tests"
STATES = ("present", "stale", "missing", "unavailable")
VALUES = len(FLIGHTS) * len(INPUTS)
"""Values that a request for all flights leaves out."""
GIVEN = {**KEYS[0], "distance": 100.0}
"""A row that the model takes even where nothing else is known."""


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with a_redis_server(tmp_path / "redis", password=PASSWORD) as server:
        yield server


def published(
    root: Path, server: RedisServer, at: float | None = None, name: str = "tails", **redis: Any
) -> float:
    """Put the flights on the server as of a time; that time."""
    now = time.time() if at is None else at
    rows = [{**row, **key, "at": now} for row, key in zip(FLIGHTS, KEYS, strict=True)]
    spec = server_spec(TABLE_SPEC, server.url, **redis)
    ca = server.ca if server.tls else None
    publish_on_server(root, name, spec, rows, password=server.password, ca=ca)
    return now


@dataclass
class Asking:
    """The application in this process, asked in the event loop that its connections are of."""

    client: Client
    online: OnlineFeatures
    http: httpx.AsyncClient

    async def post(self, document: Any, path: str = "/predict") -> httpx.Response:
        return await self.http.post(path, json=document)

    async def states(self) -> dict[str, float]:
        """What came of the values that were looked up, without what never came."""
        text = (await self.http.get("/metrics")).text
        counts = {
            state: metric(text, "serinus_online_values_total", state=state) for state in STATES
        }
        return {state: count for state, count in counts.items() if count}

    async def is_ready(self) -> bool:
        return (await self.http.get("/v2/health/ready")).status_code == httpx.codes.OK


@asynccontextmanager
async def asking(
    client: Client, root: Path, *, now: Callable[[], float] = time.time, name: str = "tails"
) -> AsyncIterator[Asking]:
    table = FollowedTable(Store(root), name, SIGNATURE, Reader(None, PASSWORD))
    online = OnlineFeatures([table], SIGNATURE, now)
    changed = client.changed(online=online)
    application = HotPath(changed.serving, PredictionPaths(changed.serving), not_here)
    transport = httpx.ASGITransport(application)
    await online.begin()
    async with httpx.AsyncClient(transport=transport, base_url="http://pod") as http:
        yield Asking(changed, online, http)
    await online.end()


def answers(response: httpx.Response) -> Any:
    document = response.json()
    return document["outputs"] if "outputs" in document else document["predictions"]


def column(name: str, datatype: str, values: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": values}


TENSORS = [
    column("tail", "BYTES", [key["tail"] for key in KEYS]),
    column("leg", "INT64", [key["leg"] for key in KEYS]),
]
SPLIT = {"columns": ["tail", "leg"], "data": [[key["tail"], key["leg"]] for key in KEYS]}
FORMS = [
    ("/predict", {"rows": KEYS}, {"rows": FLIGHTS}),
    ("/v1/models/flight-delay:predict", {"instances": KEYS}, {"instances": FLIGHTS}),
    ("/invocations", {"dataframe_split": SPLIT}, {"dataframe_records": FLIGHTS}),
    (INFER, {"inputs": TENSORS}, {"inputs": tensors(FLIGHTS)}),
    ("/v2/models/flight-delay/explain", {"inputs": TENSORS}, {"inputs": tensors(FLIGHTS)}),
]


@pytest.mark.parametrize(("path", "keys", "values"), FORMS)
async def test_keys_are_answered_as_the_values_would_be_after_one_question(
    client: Client,
    tmp_path: Path,
    redis_server: RedisServer,
    path: str,
    keys: Any,
    values: Any,
) -> None:
    published(tmp_path, redis_server)
    expected = await asyncio.to_thread(client.post, path, values)
    async with asking(client, tmp_path) as asked:
        before = questions(redis_server)
        answer = await asked.post(keys, path)

        assert answer.status_code == expected.status_code == 200, answer.text
        assert answers(answer) == answers(expected)
        assert questions(redis_server) == before + 1
        if "explain" not in path:
            assert await asked.states() == {"present": VALUES}


def questions(server: RedisServer) -> int:
    """How many questions the server answered."""
    with server.client() as client:
        stats: Any = client.info("commandstats")
    return int(stats.get("cmdstat_mget", {}).get("calls", 0))


async def test_what_is_given_whole_asks_nobody(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server)
    async with asking(client, tmp_path) as asked:
        before = questions(redis_server)
        answer = await asked.post({"rows": FLIGHTS})

        assert answer.status_code == 200
        assert questions(redis_server) == before
        assert await asked.states() == {}


async def test_large_requests_and_calls_over_grpc_are_completed_too(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server)
    many = 300
    expected = await asyncio.to_thread(client.post, "/predict", {"rows": FLIGHTS * many})
    request = wire.ModelInferRequest(model_name="flight-delay")
    request.inputs.add(name="tail", datatype="BYTES", shape=[1]).contents.bytes_contents.append(
        b"N0"
    )
    request.inputs.add(name="leg", datatype="INT64", shape=[1]).contents.int64_contents.append(0)
    async with asking(client, tmp_path) as asked:
        answer = await asked.post({"rows": KEYS * many})
        assert answers(answer) == answers(expected)
        assert await asked.states() == {"present": many * VALUES}

        method = InferenceService(asked.client.serving).methods["ModelInfer"]
        called = wire.ModelInferResponse.FromString(
            await method(request.SerializeToString())  # type: ignore[arg-type]
        )
        assert called.parameters["online_present"].int64_param == len(INPUTS)


async def test_many_at_once_share_connections_and_questions(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server, timeout="5s")
    async with asking(client, tmp_path) as asked:
        before = questions(redis_server)
        some = await asyncio.gather(*(asked.post({"rows": [key]}) for key in KEYS * 10))

        assert {answer.status_code for answer in some} == {200}
        assert await asked.states() == {"present": 10 * VALUES}
        assert questions(redis_server) - before < len(some)
    with redis_server.client() as client_of_redis:
        accepted: Any = client_of_redis.info("clients")
    assert accepted["connected_clients"] <= 3


@pytest.mark.parametrize(
    ("age_seconds", "state"), [(60, "present"), (3601, "stale"), (7300, "missing")]
)
async def test_values_grow_stale_by_their_own_time_and_are_gone_after_their_age(
    client: Client, tmp_path: Path, redis_server: RedisServer, age_seconds: int, state: str
) -> None:
    published(tmp_path, redis_server, at=time.time() - age_seconds)
    same = {"distance": 100.0}
    if state == "present":
        same |= {name: FLIGHTS[0][name] for name in NAMES if name != "distance"}
    expected = await asyncio.to_thread(client.post, "/predict", {"rows": [same]})
    async with asking(client, tmp_path) as asked:
        answer = await asked.post({"rows": [GIVEN]})

        assert answers(answer) == answers(expected)
        assert await asked.states() == {state: len(INPUTS) - 1}


async def test_a_value_that_the_model_needs_is_refused_by_name_where_it_is_missing(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server)
    async with asking(client, tmp_path) as asked:
        answer = await asked.post({"rows": [KEYS[0], {"tail": "N0", "leg": 77}]})

        assert answer.status_code == 400
        assert "`rows[1].distance`: expected a number (FP64, mi)" in answer.json()["error"]
        assert await asked.states() == {}


async def test_rows_of_another_schema_are_never_read(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server)
    turned = {name: FLIGHT_FEATURES[name] for name in reversed(FLIGHT_FEATURES)}
    other = server_spec(a_spec({"tail": "string", "leg": "int64"}, turned), redis_server.url)
    publish_on_server(tmp_path, "tails", other, [], password=PASSWORD)
    async with asking(client, tmp_path) as asked:
        assert (await asked.post({"rows": [GIVEN]})).status_code == 200
        assert await asked.states() == {"missing": len(INPUTS) - 1}


# What is followed while the pod serves


async def test_a_pod_follows_from_a_table_to_a_server_and_to_another_schema(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    now = time.time()
    publish_table(tmp_path, "tails", TABLE_SPEC, [{**FLIGHTS[0], **KEYS[0], "at": now}])
    async with asking(client, tmp_path) as asked:
        assert not asked.online.waits
        published(tmp_path, redis_server)
        await asyncio.to_thread(asked.online.look)
        assert asked.online.waits
        assert (await asked.post({"rows": KEYS})).status_code == 200
        assert await asked.states() == {"present": VALUES}

        lookups = lookups_of(asked)
        await asyncio.to_thread(asked.online.look)
        assert lookups_of(asked) is lookups

        published(tmp_path, redis_server, timeout="90ms")
        await asyncio.to_thread(asked.online.look)
        assert lookups_of(asked) is not lookups
        await asked.post({"rows": KEYS})
        assert await asked.states() == {"present": 2 * VALUES}


def lookups_of(asked: Asking) -> object:
    (table,) = asked.online._tables
    assert isinstance(table.place, ServerPlace)
    return table.place.lookups


# When the server is away


async def test_while_the_server_is_away_its_values_are_missing_and_the_pod_stays_ready(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server)
    without = await asyncio.to_thread(client.post, "/predict", {"rows": [{"distance": 100.0}]})
    async with asking(client, tmp_path) as asked:
        redis_server.kill()

        answer = await asked.post({"rows": [GIVEN]})
        assert answers(answer) == answers(without)
        assert await asked.states() == {"unavailable": len(INPUTS) - 1}
        for path, document in (
            ("/predict", {"rows": [KEYS[0]]}),
            ("/predict", {"rows": KEYS * 200}),
            ("/v2/models/flight-delay/explain", {"inputs": TENSORS}),
        ):
            refused = await asked.post(document, path)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            told = refused.json()["error"]
            assert "expected a number (FP64, mi)" in told
            assert "can't be looked up now; try again in 1 s" in told
        asked_for = len(INPUTS) - 1 + (1 + 200 * len(KEYS)) * len(INPUTS)
        assert await asked.states() == {"unavailable": asked_for}

        began = time.monotonic()
        for _ in range(50):
            await asked.post({"rows": [GIVEN]})
        assert time.monotonic() - began < 2, "who knows that it is away waits for nothing"
        assert await asked.is_ready()

        redis_server.start()
        published(tmp_path, redis_server)
        await until_present(asked)
        assert await asked.is_ready()


async def until_present(asked: Asking) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while "present" not in await asked.states():
        assert time.monotonic() < deadline
        await asked.post({"rows": [GIVEN]})
        await asyncio.sleep(0.02)


async def test_a_server_that_hangs_takes_no_more_time_than_it_may(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server, timeout="150ms")
    async with asking(client, tmp_path) as asked:
        redis_server.stop_answering()
        began = time.monotonic()
        answer = await asked.post({"rows": [GIVEN]})
        seconds = time.monotonic() - began

        assert answer.status_code == 200
        assert 0.1 < seconds < 1
        assert await asked.states() == {"unavailable": len(INPUTS) - 1}

        redis_server.answer_again()
        await until_present(asked)


async def test_a_connection_that_was_closed_costs_no_value(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server, timeout="5s")
    async with asking(client, tmp_path) as asked:
        for _ in range(5):
            with redis_server.client() as other:
                other.client_kill_filter(_type="normal", skipme=True)
            await asked.post({"rows": KEYS})

        assert await asked.states() == {"present": 5 * VALUES}


async def test_a_password_that_isn_t_the_right_one_starts_no_pod(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server)
    for reader in (Reader(None, "hunter2"), Reader()):
        table = FollowedTable(Store(tmp_path), "tails", SIGNATURE, reader)
        online = OnlineFeatures([table], SIGNATURE)
        with pytest.raises(NoTable, match="`credentials`") as told:
            await online.begin()
        assert "hunter2" not in str(told.value)
        await online.end()


async def test_who_reads_needs_no_more_than_to_read(
    client: Client, tmp_path: Path, redis_server: RedisServer
) -> None:
    published(tmp_path, redis_server)
    rights = ("~serinus:default:tails:*", "+mget", "+ping")
    with redis_server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "reader", "on", ">secret", *rights)
        admin.execute_command("ACL", "SETUSER", "other", "on", ">secret", "~x:*", "+mget", "+ping")
    refused = FollowedTable(Store(tmp_path), "tails", SIGNATURE, Reader("other", "secret"))
    online = OnlineFeatures([refused], SIGNATURE)
    with pytest.raises(NoTable, match="no permissions"):
        await online.begin()
    await online.end()

    table = FollowedTable(Store(tmp_path), "tails", SIGNATURE, Reader("reader", "secret"))
    online = OnlineFeatures([table], SIGNATURE)
    await online.begin()
    document: dict[str, Any] = {"rows": [dict(KEYS[0])]}
    completing = online.begun("predict", document)
    await completing.fetched()
    looked_up = completing.filled()
    assert looked_up is not None
    assert looked_up.present == len(INPUTS)
    await online.end()


async def test_values_come_over_tls_from_who_is_vouched_for(client: Client, tmp_path: Path) -> None:
    with a_redis_server(tmp_path / "redis", password=PASSWORD, tls=True) as server:
        published(tmp_path, server)
        async with asking(client, tmp_path) as asked:
            assert (await asked.post({"rows": KEYS})).status_code == 200
            assert await asked.states() == {"present": VALUES}


# Real processes


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_real_server_starts_without_its_values_and_has_them_when_they_come(
    two_classes: Packaged, store: Path, tmp_path: Path, workers: str
) -> None:
    with a_redis_server(tmp_path, password=PASSWORD) as server:
        name = f"remote-{workers}"
        published(store, server, name=name)
        server.kill()
        changes = {
            "ONLINE_FEATURES": name,
            "ONLINE_PASSWORD_0": PASSWORD,
            "WORKERS": workers,
            "DRAIN_SECONDS": "0",
        }
        with server_process(two_classes, store, **changes) as process:
            with httpx.Client(base_url=process.url, timeout=DEADLINE_SECONDS) as http:
                assert http.get("/v2/health/ready").status_code == 200
                assert http.post("/predict", json={"rows": [GIVEN]}).status_code == 200
                assert http.post("/predict", json={"rows": KEYS}).status_code == 503
                server.start()
                published(store, server, name=name)
                expected = http.post("/predict", json={"rows": FLIGHTS}).json()["predictions"]
                deadline = time.monotonic() + DEADLINE_SECONDS
                found = None
                while found != expected and time.monotonic() < deadline:
                    found = http.post("/predict", json={"rows": KEYS}).json().get("predictions")
                    time.sleep(0.05)
                assert found == expected
                text = http.get("/metrics").text
            unavailable = metric(text, "serinus_online_values_total", state="unavailable")
            assert unavailable is not None
            assert unavailable >= len(INPUTS) - 1 + VALUES
            process.told_to_end()
            assert process.exit_code() == 0
    assert PASSWORD not in process.log.read_text()


def test_a_real_server_with_a_wrong_password_says_what_to_do_and_doesn_t_start(
    two_classes: Packaged, store: Path, tmp_path: Path
) -> None:
    with a_redis_server(tmp_path, password=PASSWORD) as server:
        published(store, server, name="locked")
        log = tmp_path / "refused.log"
        variables = environment(
            two_classes, store, ONLINE_FEATURES="locked", ONLINE_PASSWORD_0="hunter2"
        )
        process = started(log, variables)
        try:
            assert process.wait(DEADLINE_SECONDS) == EXIT_REFUSED
        finally:
            process.kill()
            process.wait()
    told = [line["message"] for line in logged(log)]
    assert any("`credentials`" in line for line in told)
    assert "hunter2" not in log.read_text()
