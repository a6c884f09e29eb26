"""A request that names an entity is answered as if it had brought the entity's newest values."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.artifact.signature import Signature
from serinus_runtime.digest import hex_of
from serinus_runtime.features.snapshot import DATA_FILE
from serinus_runtime.online.latest import NoTable
from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.inference_service import InferenceService
from serinus_runtime.server.main import EXIT_REFUSED
from serinus_runtime.server.online_features import (
    LOOK_SECONDS,
    FollowedTable,
    OnlineFeatures,
)
from serinus_runtime.server.online_places import source_of
from serinus_runtime.store import Store
from tests.support.feature_sets import DataPlane, training_job
from tests.support.flight_requests import INFER, matrix, tensors
from tests.support.model_servers import (
    DEADLINE_SECONDS,
    Client,
    environment,
    logged,
    metric,
    server_process,
    started,
)
from tests.support.online_tables import (
    FLIGHT_FEATURES,
    FLIGHTS,
    KEYS,
    LEG_ENTITIES,
    a_spec,
    publish_table,
    table_of_rows,
)
from tests.support.trained_models import INPUTS, NAMES

SPEC = a_spec(LEG_ENTITIES, FLIGHT_FEATURES, max_staleness="1h")
NOW = 1_700_000_000
SIGNATURE = Signature(INPUTS, ())


def published(root: Path, at: float = NOW, name: str = "tails", **changes: Any) -> str:
    rows = [{**row, **key, "at": at} | changes for row, key in zip(FLIGHTS, KEYS, strict=True)]
    return publish_table(root, name, SPEC, rows)


@pytest.fixture
def client(client_of: Callable[..., Client], two_classes: Packaged, store: Path) -> Client:
    published(store)
    made = client_of(two_classes)
    table = FollowedTable(Store(store), "tails", SIGNATURE)
    return made.changed(online=OnlineFeatures([table], SIGNATURE, lambda: NOW + 60.0))


@pytest.fixture
def without(client: Client) -> Client:
    return client.changed(online=None)


def column(name: str, datatype: str, values: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": values}


def keys_as_tensors() -> list[dict[str, Any]]:
    return [
        column("tail", "BYTES", [key["tail"] for key in KEYS]),
        column("leg", "INT64", [key["leg"] for key in KEYS]),
    ]


def states(client: Client) -> tuple[float | None, ...]:
    return tuple(
        client.metric("serinus_online_values_total", state=state)
        for state in ("present", "stale", "missing")
    )


SPLIT = {"columns": ["tail", "leg"], "data": [[key["tail"], key["leg"]] for key in KEYS]}
COLUMNS = {name: [key[name] for key in KEYS] for name in ("tail", "leg")}
FORMS = [
    ("/predict", {"rows": KEYS}, {"rows": FLIGHTS}),
    ("/predict", {"instances": KEYS}, {"instances": FLIGHTS}),
    ("/v1/models/flight-delay:predict", {"instances": KEYS}, {"instances": FLIGHTS}),
    ("/v1/models/flight-delay:predict", {"inputs": KEYS}, {"inputs": FLIGHTS}),
    ("/invocations", {"dataframe_records": KEYS}, {"dataframe_records": FLIGHTS}),
    ("/invocations", {"dataframe_split": SPLIT}, {"dataframe_records": FLIGHTS}),
    ("/invocations", {"inputs": COLUMNS}, {"dataframe_records": FLIGHTS}),
    (INFER, {"inputs": keys_as_tensors()}, {"inputs": tensors(FLIGHTS)}),
]


@pytest.mark.parametrize(("path", "keys", "values"), FORMS)
def test_keys_are_answered_as_the_values_would_be(
    client: Client, without: Client, path: str, keys: Any, values: Any
) -> None:
    expected = without.post(path, values)
    answer = client.post(path, keys)

    assert answer.status_code == expected.status_code == 200, answer.text
    assert _answers(answer) == _answers(expected)
    assert states(client) == (len(FLIGHTS) * len(INPUTS), 0, 0)


def _answers(answer: httpx.Response) -> Any:
    document = answer.json()
    return document["outputs"] if "outputs" in document else document["predictions"]


@pytest.mark.parametrize(("path", "keys", "values"), FORMS)
def test_what_is_given_whole_is_looked_up_nowhere(
    client: Client, path: str, keys: Any, values: Any
) -> None:
    assert client.post(path, values).status_code == 200
    assert states(client) == (0, 0, 0)


def test_one_tensor_for_all_inputs_is_answered_as_without_tables(
    client: Client, without: Client
) -> None:
    body = {"inputs": [matrix([FLIGHTS[0]], nested=False)]}
    answer, other = (one.request("POST", INFER, json=body) for one in (client, without))

    assert answer.status_code == 200
    assert _answers(answer) == _answers(other)


def test_large_requests_are_completed_too(client: Client, without: Client) -> None:
    many = 100
    answer = client.post("/predict", {"rows": KEYS * many})
    expected = without.post("/predict", {"rows": FLIGHTS * many})

    assert _answers(answer) == _answers(expected)
    assert states(client) == (many * len(FLIGHTS) * len(INPUTS), 0, 0)


def test_calls_over_grpc_are_completed_too(client: Client) -> None:
    request = wire.ModelInferRequest(model_name="flight-delay")
    tail = request.inputs.add(name="tail", datatype="BYTES", shape=[1])
    tail.contents.bytes_contents.append(b"N0")
    leg = request.inputs.add(name="leg", datatype="INT64", shape=[1])
    leg.contents.int64_contents.append(0)

    method = InferenceService(client.serving).methods["ModelInfer"]
    answer = wire.ModelInferResponse.FromString(
        asyncio.run(method(request.SerializeToString()))  # type: ignore[arg-type]
    )

    assert answer.parameters["online_present"].int64_param == len(INPUTS)
    assert answer.parameters["online_missing"].int64_param == 0


def test_explanations_are_of_the_completed_request(client: Client, without: Client) -> None:
    path = "/v2/models/flight-delay/explain"
    expected = without.post(path, {"inputs": tensors(FLIGHTS)}).json()

    assert client.post(path, {"inputs": keys_as_tensors()}).json() == expected


def test_the_answer_tells_what_came_of_the_values(client: Client) -> None:
    one = [column("tail", "BYTES", ["N1"]), column("leg", "INT64", [1])]
    parameters = client.post(INFER, {"inputs": one}).json()["parameters"]

    assert {name: value for name, value in parameters.items() if name.startswith("online")} == {
        "online_present": len(INPUTS),
        "online_stale": 0,
        "online_missing": 0,
        "online_unavailable": 0,
    }


def test_the_answer_says_nothing_where_nothing_was_looked_up(client: Client) -> None:
    parameters = client.post(INFER, {"inputs": tensors(FLIGHTS)}).json()["parameters"]

    assert set(parameters) == {"prediction_id", "revision"}


# What the request gives counts; what it leaves out does only where it is there and young.

GIVEN = {**KEYS[0], "distance": 100.0}
REST = {name: FLIGHTS[0][name] for name in NAMES if name != "distance"}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], tuple[int, int, int]]] = [
    ("a value that is given stays", GIVEN, {"distance": 100.0, **REST}, (5, 0, 0)),
    (
        "a null that is given stays null",
        {**GIVEN, "delay": None},
        {"distance": 100.0, **REST, "delay": None},
        (4, 0, 0),
    ),
    ("an unknown entity has no values", {**GIVEN, "leg": 77}, {"distance": 100.0}, (0, 0, 5)),
    ("a key of another type has none", {**GIVEN, "leg": "0"}, {"distance": 100.0}, (0, 0, 5)),
    ("a whole number may have a point", {**GIVEN, "leg": 0.0}, {"distance": 100.0, **REST},
     (5, 0, 0)),
    ("half a key asks for nothing", {"distance": 100.0, "tail": "N0"}, {"distance": 100.0},
     (0, 0, 0)),
    ("a key with a null asks for nothing", {**GIVEN, "leg": None}, {"distance": 100.0}, (0, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "same_as", "counts"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_what_is_filled(
    client: Client,
    without: Client,
    row: dict[str, Any],
    same_as: dict[str, Any],
    counts: tuple[int, int, int],
) -> None:
    answer = client.post("/predict", {"rows": [row]})
    expected = without.post("/predict", {"rows": [same_as]})

    assert (answer.status_code, _answers(answer)) == (200, _answers(expected))
    assert states(client) == counts


@pytest.mark.parametrize(
    ("age_seconds", "counts"),
    [(0, (5, 0, 0)), (3600, (5, 0, 0)), (3601, (0, 5, 0)), (10**7, (0, 5, 0))],
)
def test_a_stale_value_counts_as_missing(
    client: Client, without: Client, store: Path, age_seconds: int, counts: tuple[int, int, int]
) -> None:
    table = FollowedTable(Store(store), "tails", SIGNATURE)
    later = client.changed(
        online=OnlineFeatures([table], SIGNATURE, lambda: float(NOW + age_seconds))
    )
    same_as = {"distance": 100.0, **(REST if counts[0] else {})}

    answer = later.post("/predict", {"rows": [GIVEN]})

    assert _answers(answer) == _answers(without.post("/predict", {"rows": [same_as]}))
    assert states(later) == counts


def test_a_missing_value_that_the_model_needs_is_refused_by_name(client: Client) -> None:
    answer = client.post("/predict", {"rows": [KEYS[0], {"tail": "N0", "leg": 77}]})

    assert answer.status_code == 400
    assert "`rows[1].distance`: expected a number (FP64, mi)" in answer.json()["error"]
    assert states(client) == (0, 0, 0)


def test_a_misspelt_tensor_is_still_refused(client: Client) -> None:
    inputs = [*keys_as_tensors(), column("distanse", "FP64", [1.0] * len(KEYS))]
    answer = client.post(INFER, {"inputs": inputs})

    assert answer.status_code == 400
    told = answer.json()["error"]
    assert told.startswith("`inputs[2].name`: the model has no input the text 'distanse'")


WRONG: list[tuple[str, Any]] = [
    ("/predict", {"rows": [1, KEYS[0]]}),
    ("/predict", {"rows": []}),
    ("/predict", {}),
    ("/v1/models/flight-delay:predict", {"inputs": {"tail": ["N0"], "leg": [0]}}),
    ("/invocations", {"dataframe_split": {"columns": ["tail", "leg"], "data": [["N0"]]}}),
    ("/invocations", {"dataframe_split": {"columns": ["tail", 1], "data": [["N0", 0]]}}),
    ("/invocations", {"dataframe_split": {"columns": "tail", "data": 1}}),
    ("/invocations", {"inputs": {"tail": ["N0"], "leg": [0, 1]}}),
    ("/invocations", {"inputs": {"tail": [], "leg": []}}),
    (INFER, {"inputs": [1]}),
    (INFER, {"inputs": {"tail": ["N0"]}}),
    (INFER, {"inputs": [column("tail", "BYTES", ["N0"])] * 2}),
    (INFER, {"inputs": [{**keys_as_tensors()[0], "shape": [1]}, keys_as_tensors()[1]]}),
    (INFER, {"inputs": [{"name": "tail"}, {"name": "leg"}]}),
    (INFER, {"inputs": [column("tail", "BYTES", ["N0"]), column("leg", "INT64", [0, 0])]}),
]


@pytest.mark.parametrize(("path", "document"), WRONG)
def test_what_is_no_request_is_refused_as_without_tables(
    client: Client, without: Client, path: str, document: Any
) -> None:
    answer, expected = client.post(path, document), without.post(path, document)

    assert answer.status_code == expected.status_code == 400
    assert states(client) == (0, 0, 0)


def test_the_description_says_what_may_be_left_out(client: Client, without: Client) -> None:
    def required(told: Client) -> list[str]:
        schemas = told.get("/openapi.json").json()["components"]["schemas"]
        return schemas["Row"]["required"]  # type: ignore[no-any-return]

    assert required(without) == ["distance"]
    assert required(client) == []


def test_a_column_with_a_value_in_each_row_may_be_nested(client: Client, without: Client) -> None:
    nested = [
        {**tensor, "shape": [len(KEYS), 1], "data": [[value] for value in tensor["data"]]}
        for tensor in keys_as_tensors()
    ]

    answer = client.post(INFER, {"inputs": nested})

    assert _answers(answer) == _answers(without.post(INFER, {"inputs": tensors(FLIGHTS)}))


# Tables: which are taken, and how a newer one is followed.


def test_the_first_table_that_has_a_feature_counts(
    client: Client, without: Client, store: Path
) -> None:
    published(store, name="others", route="R00")
    tables = [FollowedTable(Store(store), name, SIGNATURE) for name in ("others", "tails")]
    both = client.changed(online=OnlineFeatures(tables, SIGNATURE, lambda: float(NOW)))

    answer = both.post("/predict", {"rows": KEYS})

    rows = [{**row, "route": "R00"} for row in FLIGHTS]
    assert _answers(answer) == _answers(without.post("/predict", {"rows": rows}))


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ({"distance": {"type": "float64", "unit": "km"}}, "`distance` is a float64 in km"),
        ({"distance": {"type": "float32", "unit": "mi"}}, "`distance` is a float32 in mi"),
        ({"carrier": "int64"}, "`carrier` is a int64"),
        ({"seats": "int32"}, "no feature online that the model takes"),
    ],
)
def test_a_table_that_isn_t_what_the_model_takes_is_refused(
    features: dict[str, Any], told: str
) -> None:
    table = table_of_rows(a_spec({"tail": "string"}, features), [])

    with pytest.raises(NoTable, match=told):
        source_of(table, SIGNATURE, "FeatureSet `tails`")


@pytest.mark.slow
def test_a_model_takes_the_table_of_its_own_features_as_it_took_the_rows(tmp_path: Path) -> None:
    plane = DataPlane(tmp_path)
    plane.put_flights()
    run = plane.snapshot(online={"maxStaleness": "1h"})
    trained = plane.train(run, training_job())
    assert run.snapshot is not None
    assert trained.storage_uri is not None
    model = load(plane.store.path(trained.storage_uri), trained.digest or "")
    signature = model.manifest.signature
    rows = pl.read_parquet(plane.store.path(run.snapshot.uri) / DATA_FILE).to_dicts()
    then = rows[0]["scheduled_at"].timestamp()
    table = FollowedTable(plane.store, "flights", signature)
    asked: dict[str, Any] = {"rows": [{"flight": row["flight"]} for row in rows]}

    online = OnlineFeatures([table], signature, lambda: then)
    looked_up = online.begun("predict", asked).filled()

    found = RowEncoder(signature).rows(asked["rows"])
    assert looked_up is not None
    assert looked_up.present > len(rows)
    assert np.array_equal(found, RowEncoder(signature).rows(rows), equal_nan=True)


def test_a_newer_table_is_followed_and_a_refused_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published(tmp_path)
    table = FollowedTable(Store(tmp_path), "tails", SIGNATURE)
    online = OnlineFeatures([table], SIGNATURE, lambda: float(NOW))
    assert online.entities == len(FLIGHTS)

    row = {**FLIGHTS[0], **KEYS[0], "at": NOW}
    publish_table(tmp_path, "tails", SPEC, [row])
    online.look()
    assert online.entities == 1

    wrong = a_spec({"tail": "string"}, {"carrier": "int64"})
    publish_table(tmp_path, "tails", wrong, [])
    with caplog.at_level(logging.WARNING):
        online.look()
        online.look()
    assert online.entities == 1
    (told,) = [record.message for record in caplog.records]
    assert "feature `carrier` is a int64, and the model takes a text (BYTES)" in told

    published(tmp_path)
    online.look()
    assert online.entities == len(FLIGHTS)


def test_a_newer_table_that_can_t_be_read_is_tried_again_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published(tmp_path)
    online = OnlineFeatures(
        [FollowedTable(Store(tmp_path), "tails", SIGNATURE)], SIGNATURE, lambda: float(NOW)
    )
    row = {**FLIGHTS[0], **KEYS[0], "at": NOW}
    digest = publish_table(tmp_path, "tails", SPEC, [row])
    folder = Store(tmp_path).snapshots("tails") / hex_of(digest)
    away = folder.rename(tmp_path / "away")

    with caplog.at_level(logging.WARNING):
        online.look()
        online.look()
    assert [record.message for record in caplog.records] == [
        f"online table refused: snapshot {digest} can't be read: no regular file"
    ]
    assert online.entities == len(FLIGHTS)

    away.rename(folder)
    online.look()
    assert online.entities == 1


@pytest.mark.slow
def test_a_real_server_completes_requests_and_follows_a_newer_snapshot(
    two_classes: Packaged, store: Path
) -> None:
    published(store, at=time.time(), name="live")
    with server_process(two_classes, store, ONLINE_FEATURES="live", DRAIN_SECONDS="0") as server:
        with httpx.Client(base_url=server.url, timeout=DEADLINE_SECONDS) as http:
            before = http.post("/predict", json={"rows": KEYS})
            expected = http.post("/predict", json={"rows": FLIGHTS})
            assert before.json()["predictions"] == expected.json()["predictions"]
            text = http.get("/metrics").text
            assert metric(text, "serinus_online_entities") == len(FLIGHTS)
            assert metric(text, "serinus_online_values_total", state="present") == len(
                FLIGHTS
            ) * len(INPUTS)

            published(store, at=time.time(), name="live", distance=2999.0, route="R01")
            newer = [{**row, "distance": 2999.0, "route": "R01"} for row in FLIGHTS]
            wanted = http.post("/predict", json={"rows": newer}).json()["predictions"]
            deadline = time.monotonic() + DEADLINE_SECONDS + LOOK_SECONDS
            found = None
            while found != wanted and time.monotonic() < deadline:
                found = http.post("/predict", json={"rows": KEYS}).json()["predictions"]
                time.sleep(0.1)
            assert found == wanted
        server.told_to_end()
        assert server.exit_code() == 0
    loaded = [line for line in logged(server.log) if line["message"] == "online table loaded"]
    assert [line["entities"] for line in loaded] == [len(FLIGHTS)] * 2
    assert all(line["size_bytes"] > 0 for line in loaded)


@pytest.mark.slow
def test_several_workers_look_into_the_same_table(two_classes: Packaged, store: Path) -> None:
    published(store, at=time.time(), name="shared")
    requests = 20
    with server_process(
        two_classes, store, ONLINE_FEATURES="shared", WORKERS="2", DRAIN_SECONDS="0"
    ) as server:
        for _ in range(requests):
            answer = httpx.post(
                f"{server.url}/predict", json={"rows": KEYS}, timeout=DEADLINE_SECONDS
            )
            assert answer.status_code == 200
        text = httpx.get(f"{server.url}/metrics", timeout=DEADLINE_SECONDS).text
    values = requests * len(FLIGHTS) * len(INPUTS)
    assert metric(text, "serinus_online_values_total", state="present") == values
    assert metric(text, "serinus_online_entities") == len(FLIGHTS)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_without_its_table_says_what_to_do_and_doesn_t_start(
    two_classes: Packaged, store: Path, workers: str
) -> None:
    log = store / f"refused-{workers}.log"
    process = started(
        log, environment(two_classes, store, ONLINE_FEATURES="nothing", WORKERS=workers)
    )
    try:
        assert process.wait(DEADLINE_SECONDS) == EXIT_REFUSED
    finally:
        process.kill()
        process.wait()
    assert any(
        "FeatureSet `nothing` has no newest values in the store. Set its `spec.online`"
        in line["message"]
        for line in logged(log)
    )
