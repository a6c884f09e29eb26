"""Requests of people, whatever the kind of the object."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serinus.api.conditions import format_time
from serinus.api.metadata import REQUEST_ANNOTATION, ActionRequest, HandledRequest, ObjectMeta
from serinus.reconcile.requests import (
    RequestOutcome,
    handled,
    has_pending_request,
    pending_request,
    why_refused,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def request(**changes: Any) -> ActionRequest:
    given = {
        "verb": "promote",
        "uid": "uid-1",
        "revision": "r1",
        "nonce": "n-1",
        "issuedAt": format_time(NOW),
        "actor": "ada",
    }
    return ActionRequest.model_validate(given | changes)


def metadata(text: str | None) -> ObjectMeta:
    return ObjectMeta(uid="uid-1", annotations={REQUEST_ANNOTATION: text} if text else {})


def refused(**changes: Any) -> str | None:
    return why_refused(
        request(**changes), metadata(None), revisions={"r1"}, verbs={"promote", "abort"}, now=NOW
    )


def test_a_request_is_pending_until_its_nonce_is_in_status() -> None:
    given = metadata(json.dumps(request().model_dump(by_alias=True)))
    done = handled(request(), RequestOutcome.DONE, "", vouched_since=None, now=NOW)
    other = done.model_copy(update={"nonce": "n-0"})

    assert pending_request(given, None) == request()
    assert pending_request(given, other) == request()
    assert pending_request(given, done) is None
    assert pending_request(metadata(None), None) is None


def test_a_nonce_of_any_length_is_handled_once() -> None:
    long = request(nonce="n" * 1000)
    given = metadata(json.dumps(long.model_dump(by_alias=True)))
    done = handled(long, RequestOutcome.DONE, "", vouched_since=None, now=NOW)

    assert pending_request(given, done) is None


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"verb": "promote"}', "[" * 100_000])
def test_what_can_t_be_read_is_no_request(text: str) -> None:
    assert pending_request(metadata(text), None) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"verb": "erase"}, "`erase` is none of abort, promote"),
        ({"uid": "uid-0"}, "another object"),
        ({"revision": "r0"}, "it would have to name r1"),
        ({"revision": ""}, "names no revision"),
        ({"issuedAt": "soon"}, "is `soon`, which is no time"),
        ({"issuedAt": format_time(NOW - timedelta(minutes=11))}, "last 10 minutes"),
        ({"issuedAt": format_time(NOW + timedelta(minutes=11))}, "by the operator's clock it is"),
    ],
)
def test_what_isn_t_meant_for_the_object_as_it_is_is_refused(
    changes: dict[str, str], why: str
) -> None:
    said = refused(**changes)

    assert said is not None
    assert why in said


@pytest.mark.parametrize(
    "changes", [{}, {"verb": "abort"}, {"issuedAt": format_time(NOW - timedelta(minutes=9))}]
)
def test_what_fits_is_not_refused(changes: dict[str, str]) -> None:
    assert refused(**changes) is None


def test_an_object_without_revisions_needs_none_named() -> None:
    said = why_refused(
        request(revision=""), metadata(None), revisions=(), verbs={"promote"}, now=NOW
    )

    assert said is None


@pytest.mark.parametrize(
    ("issued_at", "vouched_since", "verified"),
    [
        ("2026-03-01T12:00:00Z", None, False),
        ("2026-03-01T12:00:00Z", "2026-02-01T12:00:00Z", True),
        ("2026-03-01T12:00:00Z", "2026-03-01T11:59:50Z", True),
        ("2026-03-01T12:00:00Z", "2026-03-01T11:59:55Z", False),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:05Z", False),
        ("soon", "2026-02-01T12:00:00Z", False),
    ],
    ids=[
        "no policy",
        "long since",
        "just in force",
        "not in force yet",
        "made after the request",
        "at no time",
    ],
)
def test_an_actor_is_verified_if_the_policy_was_in_force_when_he_asked(
    issued_at: str, vouched_since: str | None, verified: bool
) -> None:
    since = datetime.fromisoformat(vouched_since) if vouched_since else None
    record = handled(
        request(issuedAt=issued_at), RequestOutcome.DONE, "", vouched_since=since, now=NOW
    )

    assert record.actor_verified is verified


def resource(text: str | None, status: Any = None) -> dict[str, Any]:
    annotations = {"annotations": {REQUEST_ANNOTATION: text}} if text else {}
    return {"metadata": {"uid": "uid-1", **annotations}, "status": status}


ASKED = json.dumps(request().model_dump(by_alias=True))
HANDLED = handled(request(), RequestOutcome.DONE, "", vouched_since=None, now=NOW)


@pytest.mark.parametrize(
    ("body", "pending"),
    [
        (resource(None), False),
        (resource("{"), False),
        (resource(ASKED), True),
        (resource(ASKED, {"lastHandledRequest": HANDLED.model_dump(by_alias=True)}), False),
        (resource(ASKED, {"lastHandledRequest": {"nonce": 7}}), True),
        (resource(ASKED, "odd"), True),
    ],
    ids=["nobody asks", "unreadable", "new", "handled", "odd record", "odd status"],
)
def test_a_request_waits_until_it_is_handled_whatever_the_kind(
    body: dict[str, Any], pending: bool
) -> None:
    assert has_pending_request(body) is pending


def test_the_record_fits_the_crd_whatever_was_sent() -> None:
    endless = request(verb="v" * 999, nonce="n" * 999, actor="a" * 999)

    record = handled(endless, RequestOutcome.REFUSED, "m" * 9999, vouched_since=NOW, now=NOW)

    assert HandledRequest.model_validate(record.model_dump()) == record
