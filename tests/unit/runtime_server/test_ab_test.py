"""Who is exposed to a test, who answers, and what is counted when the canary doesn't."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from serinus.api.ab_test_document import LayerRange, UnitSource
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server import ab_test as module
from serinus_runtime.server.ab_test import (
    HANDED_BACK,
    IDLE_MAX,
    LEAVING,
    LOOK_SECONDS,
    MARK_HEADER,
    Exposure,
    unit_of,
)
from serinus_runtime.server.ab_test_cells import Fallback
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.request_body import Scope
from serinus_runtime.server.revision_connection import (
    NotAskedError,
    NotReachedError,
    RevisionAnswer,
    RevisionError,
)
from serinus_runtime.server.trace_context import BEGUN, Begun, trace_of
from serinus_runtime.server.unit_assignment import Arm
from tests.support.ab_tests import (
    CANARY,
    DOCUMENT,
    NOW,
    OF_CANARY,
    OF_STABLE,
    SAID,
    Elsewhere,
    counts,
    scope_of,
)
from tests.support.flight_requests import ROW
from tests.support.model_servers import REVISION, Client, made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


async def test_a_unit_leads_to_its_arm_and_is_counted_once(elsewhere: Elsewhere) -> None:
    test, metrics = elsewhere.pod()
    await test.look()

    for _ in range(3):
        assert test.exposure(scope_of(OF_CANARY)) is Exposure.ELSEWHERE
        assert test.exposure(scope_of(OF_STABLE)) is Exposure.HERE

    assert metrics.ab_test is not None
    assert metrics.ab_test.units.counts == {Arm.CANARY: 1, Arm.STABLE: 1}


@pytest.mark.parametrize(
    "scope",
    [
        scope_of(None),
        scope_of(b""),
        scope_of(OF_CANARY, "/v2/models/m/versions/abc/infer"),
        scope_of(OF_CANARY, "/predict", (MARK_HEADER, b"another")),
        scope_of(OF_CANARY, "/predict", (MARK_HEADER, DOCUMENT.test.encode())),
    ],
    ids=["no unit", "an empty one", "one version by name", "forged mark", "handed on already"],
)
async def test_these_take_no_part(elsewhere: Elsewhere, scope: Scope) -> None:
    test, metrics = elsewhere.pod()
    await test.look()

    assert test.exposure(scope) is None
    assert metrics.ab_test is not None
    assert sum(metrics.ab_test.units.counts.values()) == 0


async def test_units_out_of_the_layers_range_take_no_part(elsewhere: Elsewhere) -> None:
    test, _ = elsewhere.pod(layer=LayerRange("ranking", 40, 60))
    await test.look()

    part = [test.exposure(scope_of(b"%d" % number)) is not None for number in range(2000)]

    assert 0.15 < sum(part) / len(part) < 0.25


@pytest.mark.parametrize(
    ("headers", "source", "unit"),
    [
        ([(b"x-user-id", b"7")], UnitSource(header="X-User-Id"), b"7"),
        ([(b"x-user-id", b""), (b"x-user-id", b"7")], UnitSource(header="x-user-id"), b"7"),
        ([(b"cookie", b"a=1; session=ab=c; b=2")], UnitSource(cookie="session"), b"ab=c"),
        ([(b"cookie", b"a=1"), (b"cookie", b"session=7")], UnitSource(cookie="session"), b"7"),
        ([(b"cookie", b"sessions=7; my-session=8")], UnitSource(cookie="session"), None),
        ([(b"session", b"7")], UnitSource(cookie="session"), None),
        ([], UnitSource(header="x-user-id"), None),
    ],
)
def test_where_a_request_says_its_unit(
    headers: list[tuple[bytes, bytes]], source: UnitSource, unit: bytes | None
) -> None:
    assert unit_of(tuple(headers), source) == unit


async def test_the_canary_counts_what_was_handed_on_in_this_test_and_nothing_else(
    tmp_path: Path,
) -> None:
    test, _ = Elsewhere(tmp_path, revision=CANARY, found=()).pod(active_from=NOW + 60)
    await test.look()

    marked = scope_of(OF_CANARY, "/predict", (MARK_HEADER, DOCUMENT.test.encode()))
    assert test.runs
    assert test.exposure(marked) is Exposure.HERE
    assert test.exposure(scope_of(OF_CANARY, "/predict", (MARK_HEADER, b"former"))) is None
    assert test.exposure(scope_of(OF_CANARY)) is None


async def test_all_pods_begin_at_one_instant(elsewhere: Elsewhere) -> None:
    test, metrics = elsewhere.pod(active_from=NOW + 100)
    await test.look()
    assert not test.runs
    assert metrics.ab_test is not None, "its counters are there, at 0, before it begins"

    elsewhere.now = NOW + 98
    assert test._pause_seconds() == pytest.approx(2)

    elsewhere.now = NOW + 100
    await test.look()
    assert test.runs
    assert test._pause_seconds() == LOOK_SECONDS


@pytest.mark.parametrize(
    "change",
    [
        {"told": None},
        {"told": b"nonsense"},
        {"told": replace(DOCUMENT, stable="bbbbbbbbbb")},
        {"found": ()},
    ],
    ids=["the file is gone", "it can't be read", "of other revisions", "the canary is gone"],
)
async def test_a_test_ends_with_what_made_it(elsewhere: Elsewhere, change: dict[str, Any]) -> None:
    test, metrics = elsewhere.pod()
    await test.look()
    await test.relayed(scope_of(OF_CANARY), b"{}")
    assert test.runs
    counted = metrics.ab_test

    if "told" in change:
        elsewhere.told(change["told"])
    elsewhere.found = change.get("found", elsewhere.found)
    await test.look()

    assert not test.runs
    assert test.exposure(scope_of(OF_CANARY)) is None
    assert elsewhere.closed == 1, "connections aren't kept"
    assert metrics.ab_test is counted, "what was counted stays, until it was scraped"


async def test_another_test_counts_units_anew_and_its_requests_go_on(elsewhere: Elsewhere) -> None:
    test, metrics = elsewhere.pod()
    await test.look()
    test.exposure(scope_of(OF_CANARY))
    assert metrics.ab_test is not None
    metrics.ab_test.own.observe(200, 0.1)

    elsewhere.told(replace(DOCUMENT, test="other-test", salt="another"))
    await test.look()

    assert metrics.ab_test.test == "other-test"
    assert sum(metrics.ab_test.units.counts.values()) == 0
    assert metrics.ab_test.own.requests[200] == 1, "a counter never falls"


# Handing on


async def test_the_canarys_answer_is_relayed_over_a_connection_that_is_kept(
    elsewhere: Elsewhere,
) -> None:
    test, metrics = elsewhere.pod()
    await test.look()
    scope = scope_of(OF_CANARY, "/predict", (b"content-type", b"a/b"), (b"authorization", b"no"))

    told = [await test.relayed(scope, b"{}") for _ in range(3)]

    assert [one and (one.status, one.body, one.revision) for one in told] == [
        (200, SAID.answer.body, CANARY.encode())
    ] * 3
    assert elsewhere.asked == [("/predict", b"{}", ((b"content-type", b"a/b"),))] * 3
    assert elsewhere.marks == [(MARK_HEADER, DOCUMENT.test.encode())], "one connection for all"
    assert metrics.ab_test is not None
    assert sum(metrics.ab_test.fallbacks.values()) == 0


async def test_the_canary_s_span_is_a_child_of_the_one_that_hands_on(elsewhere: Elsewhere) -> None:
    test, _ = elsewhere.pod()
    await test.look()
    came = (
        (b"traceparent", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"),
        (b"tracestate", b"a=1"),
    )
    trace = trace_of(came)
    assert trace is not None
    begun = Begun(trace, b"\x33" * 8)

    await test.relayed(scope_of(OF_CANARY, "/predict", *came), b"{}")
    await test.relayed(scope_of(OF_CANARY, "/predict", *came) | {BEGUN: begun}, b"{}")

    untraced, traced = (headers for _, _, headers in elsewhere.asked)
    assert untraced == came
    assert traced == (
        (b"traceparent", b"00-" + b"1" * 32 + b"-" + b"3" * 16 + b"-01"),
        (b"tracestate", b"a=1"),
    )


REFUSED, BROKEN = NotReachedError("refused"), RevisionError("broke off")


@pytest.mark.parametrize(
    ("says", "fallback", "code"),
    [
        ([REFUSED], Fallback.UNREACHED, None),
        ([BROKEN], Fallback.NO_ANSWER, 502),
        ([NotAskedError("a header that can't be sent")], Fallback.UNREACHED, None),
        ([RuntimeError("a mistake of ours")], Fallback.UNREACHED, None),
        ([RevisionAnswer(Answer(404, b"{}"), CANARY)], Fallback.NO_ANSWER, 502),
        ([RevisionAnswer(SAID.answer, "cccccccccc")], Fallback.UNREACHED, None),
    ],
    ids=["gone", "broken", "unsendable", "mistake", "unknown path", "another revision"],
)
async def test_where_the_canary_gives_no_answer_stable_does_and_a_failure_is_the_canarys(
    elsewhere: Elsewhere,
    says: list[RevisionAnswer | Exception],
    fallback: Fallback,
    code: int | None,
) -> None:
    test, metrics = elsewhere.pod()
    await test.look()
    elsewhere.says = says

    assert await test.relayed(scope_of(OF_CANARY), b"{}") is None

    cells = metrics.ab_test
    assert cells is not None
    assert {why: count for why, count in cells.fallbacks.items() if count} == {fallback: 1}
    failed = {status: count for status, count in cells.unanswered.requests.items() if count}
    assert failed == ({code: 1} if code else {})


async def test_a_canary_that_hangs_costs_its_time_and_counts_against_it(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.01)
    test, metrics = elsewhere.pod()
    await test.look()
    elsewhere.hangs = True

    assert await test.relayed(scope_of(OF_CANARY), b"{}") is None
    assert metrics.ab_test is not None
    assert metrics.ab_test.unanswered.requests[504] == 1


async def test_a_connection_that_was_closed_while_idle_is_no_failure(elsewhere: Elsewhere) -> None:
    test, metrics = elsewhere.pod()
    await test.look()
    await test.relayed(scope_of(OF_CANARY), b"{}")
    elsewhere.says = [BROKEN, SAID]

    assert await test.relayed(scope_of(OF_CANARY), b"{}") is not None
    assert metrics.ab_test is not None
    assert sum(metrics.ab_test.fallbacks.values()) == 0


async def test_another_pod_is_asked_where_one_is_gone_and_the_test_ends_with_the_last(
    elsewhere: Elsewhere,
) -> None:
    test, _ = elsewhere.pod()
    elsewhere.found = ("10.0.0.8", "10.0.0.9")
    await test.look()

    elsewhere.says = [REFUSED, SAID]
    assert await test.relayed(scope_of(OF_CANARY), b"{}") is not None
    assert test.runs

    elsewhere.is_open = False
    elsewhere.says = [REFUSED]
    assert await test.relayed(scope_of(OF_CANARY), b"{}") is None
    assert not test.runs, "until the next look nobody is exposed"

    await test.look()
    assert test.runs


async def test_a_pod_that_ends_hands_back_and_another_is_asked(elsewhere: Elsewhere) -> None:
    test, metrics = elsewhere.pod()
    elsewhere.found = ("10.0.0.8", "10.0.0.9")
    await test.look()

    elsewhere.says = [RevisionAnswer(HANDED_BACK, CANARY), SAID]
    assert await test.relayed(scope_of(OF_CANARY), b"{}") is not None
    assert len(set(test._addresses)) == 1

    elsewhere.says = [RevisionAnswer(HANDED_BACK, CANARY)]
    assert await test.relayed(scope_of(OF_CANARY), b"{}") is None
    assert metrics.ab_test is not None
    assert metrics.ab_test.fallbacks[Fallback.UNREACHED] == 1
    assert sum(metrics.ab_test.unanswered.requests.values()) == 0, "that is no failure"


async def test_connections_that_are_kept_are_bounded(elsewhere: Elsewhere) -> None:
    test, _ = elsewhere.pod()
    await test.look()

    await asyncio.gather(*(test.relayed(scope_of(OF_CANARY), b"{}") for _ in range(IDLE_MAX + 5)))

    assert len(test._idle) <= IDLE_MAX


# In the server


@pytest.fixture
def exposed(two_classes: Packaged, store: Path, elsewhere: Elsewhere) -> Client:
    """A client of a stable pod in which the test runs."""
    return elsewhere.client(made(two_classes, store))


def asked(client: Client, unit: bytes | None, row: dict[str, Any] = ROW) -> httpx.Response:
    headers = {"x-user-id": unit.decode()} if unit else {}
    return client.request("POST", "/predict", json={"rows": [row]}, headers=headers)


def test_only_requests_of_stables_units_are_counted_as_exposed_and_relayed_ones_as_neither(
    exposed: Client, elsewhere: Elsewhere
) -> None:
    answers = [asked(exposed, unit) for unit in (OF_STABLE, OF_STABLE, None, OF_CANARY)]
    refused = asked(exposed, OF_STABLE, {"distance": "far"})

    assert [one.status_code for one in (*answers, refused)] == [200] * 4 + [400]
    assert answers[-1].content == SAID.answer.body
    assert len(elsewhere.asked) == 1
    assert counts(exposed, "serinus_requests_total") == {"exposed": 3, "others": 1}
    assert counts(exposed, "serinus_requests_total", code="400") == {"exposed": 1, "others": 0}
    assert counts(exposed, "serinus_predictions_total") == {"exposed": 2, "others": 1}
    count = counts(exposed, "serinus_request_duration_seconds_count")
    assert count == {"exposed": 3, "others": 1}


def test_labels_of_exposed_predictions_are_counted_for_themselves(exposed: Client) -> None:
    for unit in (OF_STABLE, None):
        identity = asked(exposed, unit).json()["id"]
        exposed.post("/feedback", {"id": identity, "labels": [True]})

    assert counts(exposed, "serinus_labels_total") == {"exposed": 1, "others": 1}


def test_the_canary_hands_back_what_is_handed_on_once_it_ends_and_counts_it_nowhere(
    two_classes: Packaged, store: Path, elsewhere: Elsewhere
) -> None:
    serving = made(two_classes, store, REVISION=CANARY)
    client = elsewhere.client(serving)
    marked = {MARK_HEADER.decode(): DOCUMENT.test}

    before = client.request("POST", "/predict", json={"rows": [ROW]}, headers=marked)
    serving.readiness.ready = False
    after = client.request("POST", "/predict", json={"rows": [ROW]}, headers=marked)
    others = client.request("POST", "/predict", json={"rows": [ROW]})

    assert [one.status_code for one in (before, after, others)] == [200, 503, 200]
    assert after.headers[MARK_HEADER.decode()] == LEAVING.decode()
    assert counts(client, "serinus_requests_total") == {"exposed": 1, "others": 1}


def test_a_canary_that_is_gone_costs_no_client_a_request(
    exposed: Client, elsewhere: Elsewhere
) -> None:
    elsewhere.says = [BROKEN, REFUSED]

    answers = [asked(exposed, OF_CANARY) for _ in range(3)]

    assert [one.status_code for one in answers] == [200] * 3
    assert counts(exposed, "serinus_requests_total", revision=REVISION) == {
        "exposed": 0,
        "others": 3,
    }
    failed = exposed.metric("serinus_requests_total", revision=CANARY, code="502", exposed="true")
    assert failed == 1
    assert exposed.metric("serinus_ab_test_fallbacks_total", reason="unreached") == 1


def test_what_there_is_no_room_for_is_turned_away_before_it_belongs_to_the_test(
    exposed: Client, elsewhere: Elsewhere
) -> None:
    exposed.serving.metrics.in_flight = exposed.serving.limits.concurrency

    assert [asked(exposed, unit).status_code for unit in (OF_CANARY, OF_STABLE)] == [503, 503]
    assert elsewhere.asked == []
    assert counts(exposed, "serinus_requests_total") == {"exposed": 0, "others": 2}
    assert counts(exposed, "serinus_exposures_total") == {"exposed": 0, "others": 0}


def test_a_server_that_knows_no_test_says_nothing_of_one(client: Client) -> None:
    asked(client, OF_CANARY)

    text = client.get("/metrics").text

    assert "exposed" not in text
    assert "serinus_exposures_total{" not in text
