"""What is predicted is logged, as the client got it."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.prediction_log.files import files_in
from tests.support.flight_requests import tensors
from tests.support.model_servers import REVISION, Client
from tests.support.parquet_readers import by_pyarrow
from tests.support.trained_models import NAMES, flights

ROWS = flights(5, seed=11)


@dataclass(slots=True)
class LoggedClient:
    """A client of a server that logs, and what stands in the log."""

    client: Client
    folder: Path

    def table(self) -> dict[str, list[Any]]:
        log = self.client.serving.log
        assert log is not None
        log.close(within_seconds=20)
        (file,) = files_in(self.folder)
        return by_pyarrow(file.path.read_bytes())

    def rows(self, outcome: str) -> float | None:
        return self.client.metric("serinus_prediction_log_rows_total", outcome=outcome)


Start = Callable[..., LoggedClient]


@pytest.fixture
def start(client_of: Callable[..., Client], tmp_path: Path) -> Iterator[Start]:
    """start(package, percent): a client of a server that logs."""
    begun: list[Client] = []

    def starting(package: Packaged, percent: int = 100) -> LoggedClient:
        policy, folder = tmp_path / "policy.json", tmp_path / "log"
        folder.mkdir()
        said = {"samplePercent": percent, "maxAgeSeconds": 86400, "maxSizeBytes": 1 << 30}
        policy.write_text(json.dumps(said))
        client = client_of(
            package,
            PREDICTION_LOG=str(folder),
            PREDICTION_LOG_POLICY=str(policy),
            POD_NAME="pod-a",
        )
        assert client.serving.log is not None
        client.serving.log.start()
        begun.append(client)
        return LoggedClient(client, folder)

    yield starting
    for client in begun:
        if client.serving.log is not None:
            client.serving.log.close(within_seconds=20)


def test_a_row_stands_in_the_log_as_it_was_asked_and_answered(
    start: Start, two_classes: Packaged
) -> None:
    server = start(two_classes)
    before = datetime.now(UTC).replace(microsecond=0)

    answer = server.client.post("/predict", {"rows": ROWS}).json()

    table = server.table()
    assert table["prediction_id"] == [answer["id"]] * len(ROWS)
    assert table["row"] == list(range(len(ROWS)))
    assert table["prediction"] == [one["value"] for one in answer["predictions"]]
    assert table["probability"] == [one["probability"] for one in answer["predictions"]]
    assert {name: table[f"input_{name}"] for name in NAMES} == {
        name: [row[name] for row in ROWS] for name in NAMES
    }
    assert set(table["revision"]) == {REVISION}
    assert all(before <= at for at in table["issued_at"])


def test_what_came_compressed_is_logged_as_any_other(start: Start, two_classes: Packaged) -> None:
    server = start(two_classes)
    body = gzip.compress(json.dumps({"rows": ROWS}).encode())

    answer = server.client.request(
        "POST", "/predict", content=body, headers={"content-encoding": "gzip"}
    ).json()

    table = server.table()
    assert table["prediction_id"] == [answer["id"]] * len(ROWS)
    assert table["probability"] == [one["probability"] for one in answer["predictions"]]


def test_each_form_of_a_request_is_logged_under_its_word(
    start: Start, three_classes: Packaged
) -> None:
    server = start(three_classes)
    client = server.client
    name = client.serving.model.manifest.model_name

    client.post("/predict", {"rows": ROWS[:1]})
    client.post(f"/v2/models/{name}/infer", {"inputs": tensors(ROWS[1:2])})
    client.post(f"/v1/models/{name}:predict", {"instances": ROWS[2:3]})
    client.post("/invocations", {"dataframe_records": ROWS[3:4]})

    table = server.table()
    assert table["form"] == ["predict", "v2", "v1", "invocations"]
    assert table["input_distance"] == [row["distance"] for row in ROWS[:4]]


def test_what_a_shadow_answered_says_that_nobody_got_it(
    start: Start, two_classes: Packaged
) -> None:
    server = start(two_classes)
    body = json.dumps({"rows": ROWS[:1]}).encode()

    server.client.post("/predict", body)
    server.client.request("POST", "/predict", content=body, headers={"serinus-mirrored": "1"})

    assert server.table()["mirrored"] == [False, True]


def test_a_regression_is_logged_with_its_values(start: Start, regression: Packaged) -> None:
    server = start(regression)

    answer = server.client.post("/predict", {"rows": ROWS}).json()

    assert server.table()["prediction"] == [one["value"] for one in answer["predictions"]]


def test_what_was_refused_isn_t_in_the_log(start: Start, two_classes: Packaged) -> None:
    server = start(two_classes)

    server.client.post("/predict", {"rows": [ROWS[0] | {"distance": -1}]})
    server.client.post("/predict", {"rows": ROWS[:1]})

    assert server.table()["row"] == [0]


def test_a_field_that_is_no_input_never_reaches_the_log(
    start: Start, two_classes: Packaged
) -> None:
    server = start(two_classes)

    server.client.post("/predict", {"rows": [ROWS[0] | {"name": "Ada", "carrier": "Ada's own"}]})

    assert "Ada" not in str(server.table())


@pytest.mark.parametrize("percent", [0, 30, 100])
def test_each_row_predicted_is_in_one_count(
    start: Start, two_classes: Packaged, percent: int
) -> None:
    server = start(two_classes, percent)

    for _ in range(40):
        server.client.post("/predict", {"rows": ROWS})

    log = server.client.serving.log
    assert log is not None
    log.close(within_seconds=20)
    written, unsampled = server.rows("written"), server.rows("unsampled")
    assert written is not None
    assert unsampled is not None
    assert written + unsampled == server.client.metric("serinus_predictions_total") == 200
    assert server.rows("dropped") == 0
    assert server.client.metric("serinus_prediction_log_rows_waiting") == 0
    assert {0: written == 0, 30: 0 < written < 200, 100: written == 200}[percent]


def test_without_a_folder_there_is_no_log(client: Client) -> None:
    client.post("/predict", {"rows": ROWS})

    assert client.serving.log is None
    assert client.metric("serinus_prediction_log_rows_total", outcome="unsampled") == 0
