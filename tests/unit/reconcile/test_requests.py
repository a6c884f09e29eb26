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
    done = handled(request(), RequestOutcome.DONE, "", actor_verified=False, now=NOW)
    other = done.model_copy(update={"nonce": "n-0"})

    assert pending_request(given, None) == request()
    assert pending_request(given, other) == request()
    assert pending_request(given, done) is None
    assert pending_request(metadata(None), None) is None


def test_a_nonce_of_any_length_is_handled_once() -> None:
    long = request(nonce="n" * 1000)
    given = metadata(json.dumps(long.model_dump(by_alias=True)))
    done = handled(long, RequestOutcome.DONE, "", actor_verified=False, now=NOW)

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
        ({"issuedAt": format_time(NOW + timedelta(minutes=11))}, "last 10 minutes"),
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


def test_the_record_fits_the_crd_whatever_was_sent() -> None:
    endless = request(verb="v" * 999, nonce="n" * 999, actor="a" * 999)

    record = handled(endless, RequestOutcome.REFUSED, "m" * 9999, actor_verified=True, now=NOW)

    assert HandledRequest.model_validate(record.model_dump()) == record
