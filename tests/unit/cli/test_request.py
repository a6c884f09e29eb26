"""The form of a request is that which the chart's admission policy and the operator read."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.api.deployment_status import DeploymentStatus, FirstCheckStatus, KeptRevision
from serinus.api.enums import Verb
from serinus.api.metadata import REQUEST_ANNOTATION, ActionRequest, ObjectMeta
from serinus.cli.errors import CommandError, RefusedError
from serinus.cli.reading import resource_of
from serinus.cli.request import REASON_MAX_LENGTH, Request, plain_reason, revision_for
from serinus.reconcile.requests import pending_request, why_refused
from tests.support.command_line import (
    BAD,
    CANARY,
    IN_CANARY,
    NOW,
    ROLLED_BACK,
    SERVING,
    STABLE,
    USER,
    deployment,
    training_job,
)

POLICY = Path(__file__).parents[3] / "charts/serinus/templates/admission-policy.yaml"


def request(*, actor: str = USER, verb: Verb = Verb.PROMOTE, reason: str = "") -> Request:
    return Request(actor, verb, "uid-1", CANARY, "0123456789abcdef", NOW, plain_reason(reason))


def passes_the_policy(text: str, *, user: str) -> bool:
    """The expressions of the chart's policy, in Python."""
    return (
        len(text.split('"actor"')) == 2
        and len(text.split('"verb"')) == 2
        and len(text.split('"verb":"')) == 2
        and "\\u" not in text
        and f'"actor":"{user}"' in text
    )


def test_the_policy_still_says_what_this_test_repeats() -> None:
    policy = POLICY.read_text()

    for sign in ("split('\"actor\"')", "split('\"verb\"')", 'split(\'"verb":"\')', "'\\\\u'"):
        assert sign in policy
    assert re.search(r"'\"actor\":\"' \+ request\.userInfo\.username \+ '\"'", policy)


@given(
    reason=st.text(max_size=REASON_MAX_LENGTH),
    actor=st.text(
        st.characters(exclude_categories=("Cc", "Cs"), exclude_characters='"\\'), min_size=1
    ),
    verb=st.sampled_from(Verb),
)
def test_whatever_the_reason_is_policy_and_operator_read_the_same(
    reason: str, actor: str, verb: Verb
) -> None:
    text = request(actor=actor, verb=verb, reason=reason).text()

    assert passes_the_policy(text, user=actor)
    read = ActionRequest.model_validate(json.loads(text))
    assert (read.actor, read.verb, read.uid, read.revision) == (actor, verb, "uid-1", CANARY)


def test_a_reason_keeps_its_words() -> None:
    assert plain_reason('the "big"\nsale — C:\\x') == "the 'big' sale — C:/x"


def test_a_reason_that_is_too_long_is_refused() -> None:
    with pytest.raises(CommandError, match="501 characters; at most 500"):
        plain_reason("x" * 501)


@pytest.mark.parametrize("actor", ['mia"', "mia\\", "mia\n"])
def test_an_actor_that_needs_an_escape_is_refused(actor: str) -> None:
    with pytest.raises(CommandError, match="can't stand in a request"):
        request(actor=actor).text()


def test_the_operator_carries_it_out_once_and_for_ten_minutes() -> None:
    metadata = ObjectMeta(uid="uid-1", annotations={REQUEST_ANNOTATION: request().text()})

    pending = pending_request(metadata, None)

    assert pending is not None
    asked = {"revisions": {CANARY}, "verbs": {"promote"}}
    assert why_refused(pending, metadata, now=NOW, **asked) is None
    assert why_refused(pending, metadata, now=NOW + timedelta(minutes=11), **asked)


SWITCHED = SERVING.model_copy(
    update={"kept": KeptRevision(revision="0ddba11000", until="2099-01-01T00:00:00Z")}
)

JUDGED_FIRST = SERVING.model_copy(
    update={"first_check": FirstCheckStatus(started_at="s", until="u", rules={})}
)


@pytest.mark.parametrize(
    ("verb", "status", "revision"),
    [
        (Verb.PROMOTE, IN_CANARY, CANARY),
        (Verb.ABORT, IN_CANARY, CANARY),
        (Verb.PAUSE, IN_CANARY, CANARY),
        (Verb.RESUME, IN_CANARY, CANARY),
        (Verb.RETRY, ROLLED_BACK, BAD),
        (Verb.ABORT, SWITCHED, STABLE),
        (Verb.PROMOTE, JUDGED_FIRST, STABLE),
    ],
)
def test_a_request_names_the_revision_that_it_is_about(
    verb: Verb, status: DeploymentStatus, revision: str
) -> None:
    assert revision_for(verb, resource_of(deployment(status))) == revision


def test_kinds_without_revisions_name_none() -> None:
    assert revision_for(Verb.RETRY, resource_of(training_job("boosted"))) == ""


@pytest.mark.parametrize(
    ("verb", "status", "why"),
    [
        (Verb.PROMOTE, SERVING, "no rollout runs; there is nothing to promote"),
        (Verb.ABORT, SERVING, "no rollout runs; there is nothing to abort"),
        (Verb.ABORT, JUDGED_FIRST, "no rollout runs; there is nothing to abort"),
        (Verb.PROMOTE, SWITCHED, "no rollout runs; there is nothing to promote"),
        (Verb.RETRY, SERVING, "isn't rejected; there is nothing to retry"),
        (Verb.RETRY, DeploymentStatus(), "no revision is rejected"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    verb: Verb, status: DeploymentStatus, why: str
) -> None:
    with pytest.raises(RefusedError, match=why):
        revision_for(verb, resource_of(deployment(status)))
