"""The reference of the model server names what there is, and says its figures."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from serinus.api.server import RequestLimits
from serinus.reconcile.deployment_validation import TIMEOUT_MAX_SECONDS
from serinus_runtime.server.connection import HEAD_BYTES_MAX, PIPELINED_MAX
from serinus_runtime.server.errors import RequestError
from serinus_runtime.server.explanations import ROWS_MAX as EXPLAINED_ROWS_MAX
from serinus_runtime.server.explanations import WAITING_MAX as EXPLANATIONS_MAX
from serinus_runtime.server.feedback_requests import BODY_BYTES_MAX
from serinus_runtime.server.inference_service import FIELDS_MIN
from serinus_runtime.server.main import IN_FLIGHT_SECONDS
from serinus_runtime.server.metrics import Elsewhere, Metrics, rendered
from serinus_runtime.server.prediction_requests import SMALL_BODY_BYTES, SMALL_CELLS
from serinus_runtime.server.settings import Settings, settings_from_environment
from serinus_runtime.server.tracing import (
    BATCH_MAX,
    EXPORT_SECONDS,
    REST_MAX_SECONDS,
    TRIES_MAX,
    WAITING_MAX,
)
from serinus_runtime.server.wiring import IDLE_SECONDS, door_limits

PAGE = Path(__file__).parents[2] / "operator" / "docs" / "reference" / "model-server.md"


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def defaults() -> Settings:
    return settings_from_environment(
        {
            "SERINUS_DEPLOYMENT": "d",
            "SERINUS_REVISION": "0123456789",
            "SERINUS_MODEL_URI": "file:///store/models/d",
            "SERINUS_MODEL_DIGEST": "sha256:0",
        }
    )


def kinds(error: type[RequestError]) -> Iterator[type[RequestError]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds(kind)


def test_each_metric_is_named_and_no_other() -> None:
    cells = Metrics(deployment="d", revision="r", model="m", digest="sha256:0")
    text = rendered(cells, Elsewhere(flagged=0, connections=0, coming=0)).decode()

    named = re.findall(r"^\| `(serinus_\w+)` \|", section("Metrics"), re.MULTILINE)
    assert sorted(named) == sorted(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))


def test_each_status_of_a_refusal_is_named() -> None:
    table = section("Answers that aren't 200")
    named = set(
        re.findall(r"\d{3}", "".join(re.findall(r"^\| ([\d, ]+?) \|", table, re.MULTILINE)))
    )

    assert named == {str(error.status) for error in kinds(RequestError)}


SETTINGS = defaults()
DOOR = door_limits(SETTINGS)
FIGURES = [
    (
        f"{SETTINGS.max_body_bytes >> 20} MiB; {BODY_BYTES_MAX >> 10} KiB of labels",
        "bytes of a body",
    ),
    (f"{SETTINGS.max_rows:,}, counted", "rows of a request"),
    (f"{FIELDS_MIN:,} and", "fields of a message over gRPC, as tensors"),
    (f"{SETTINGS.max_concurrency}, from", "requests answered at once"),
    (f"{SETTINGS.request_seconds:g} s from", "time in which a request must come whole"),
    (f"{SETTINGS.answer_seconds:g} s from its last", "time in which a request is answered"),
    (f"{DOOR.untaken_seconds:g} s", "time in which an answer must be taken"),
    (f"{SETTINGS.max_connections:,}", "connections"),
    (f"{DOOR.held_bytes >> 20} MiB", "bytes of all bodies that came and aren't answered"),
    (f"{PIPELINED_MAX}", "requests that wait in one connection for each other"),
    (f"{IDLE_SECONDS} s", "connection without a word"),
]


@pytest.mark.parametrize(("figure", "what"), FIGURES)
def test_each_limit_is_what_the_server_does(figure: str, what: str) -> None:
    assert f"\n| {what} | {figure}" in section("Limits")


def test_a_pod_that_ends_waits_as_long_as_any_request_may() -> None:
    assert SETTINGS.answer_seconds == IN_FLIGHT_SECONDS == TIMEOUT_MAX_SECONDS


def test_the_figures_of_explanations_are_what_the_server_does() -> None:
    text = section("Explanations")

    assert f"up to {EXPLAINED_ROWS_MAX} rows" in text
    assert f"at most\n{EXPLANATIONS_MAX} wait (503)" in text


def test_the_figures_in_the_text_are_what_the_server_does() -> None:
    assert f"more than {SMALL_BODY_BYTES >> 10} KiB, or of more than {SMALL_CELLS:,} values" in (
        section("Limits")
    )
    assert f"over {HEAD_BYTES_MAX >> 10} KiB" in section("Answers that aren't 200")
    assert f"at most {SETTINGS.feedback_memory_bytes >> 20} MiB" in section("Labels")
    assert f"goes on answering for {SETTINGS.drain_seconds:g} s" in section("Limits")


def test_the_figures_of_spans_are_what_the_server_does() -> None:
    text = (PAGE.parents[1] / "how-to" / "tracing.md").read_text()

    assert f"Spans are sent every second, at most {BATCH_MAX} at once" in text
    assert f"at most {WAITING_MAX:,} spans\nwait" in text
    assert f"`Retry-After` up to {REST_MAX_SECONDS:g} s" in text
    assert EXPORT_SECONDS == 1
    assert TRIES_MAX == 4  # asked "up to four times"


def test_each_field_of_the_limits_is_named() -> None:
    fields = {field.alias for field in RequestLimits.model_fields.values()}

    assert fields == set(re.findall(r"`server\.limits\.(\w+)`", section("Limits")))
