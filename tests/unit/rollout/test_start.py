"""Every reason for which a rollout doesn't begin, one row a rule."""

from dataclasses import replace

import pytest

from serinus.api.deployment_status import RejectedRevision
from serinus.api.enums import Reason
from serinus.rollout.start import START_RULES, StartFacts, why_not_started

REJECTED = RejectedRevision(
    revision="c0ffee0000", reason="EvidenceOfHarm", message="40 of 500 bad", at="yesterday"
)
READY = StartFacts("c0ffee0000", "delay-2", replicas=4, first=False)

CASES = [
    ("the spec is wrong", {"spec_problem": "spec.analysis: …"}, Reason.INVALID_SPEC),
    (
        "a template of a metric isn't there",
        {"template_problem": "no template `t`"},
        Reason.METRIC_TEMPLATE_UNUSABLE,
    ),
    ("a name is taken", {"name_conflict": "Service `delay` exists"}, Reason.NAME_CONFLICT),
    ("no HTTPRoutes", {"gateway_missing": "unknown"}, Reason.GATEWAY_API_MISSING),
    ("no replicas", {"replicas": 0}, Reason.SCALED_TO_ZERO),
    ("suspended", {"suspended": True}, Reason.SUSPENDED),
    ("rejected before", {"rejected": REJECTED}, Reason.REVISION_REJECTED_BEFORE),
    (
        "no newest values",
        {"online_missing": "FeatureSet `flights` …"},
        Reason.WAITING_FOR_ONLINE_TABLE,
    ),
    ("Prometheus is away", {"provider_problem": "refused"}, Reason.METRICS_UNAVAILABLE),
    ("the first needs no Prometheus", {"provider_problem": "refused", "first": True}, None),
    ("nothing is in the way", {}, None),
    ("what is wrong is told first", {"spec_problem": "x", "replicas": 0}, Reason.INVALID_SPEC),
    (
        "a rejection is told before an outage",
        {"rejected": REJECTED, "provider_problem": "refused"},
        Reason.REVISION_REJECTED_BEFORE,
    ),
]


@pytest.mark.parametrize(
    ("given", "then"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_start(given: dict[str, object], then: Reason | None) -> None:
    found = why_not_started(replace(READY, **given))

    assert (found.reason if found else None) == then


def test_each_rule_bears_the_name_of_its_reason_and_has_its_row() -> None:
    tried = {then.name.lower() for _, _, then in CASES if then}

    assert {rule.__name__ for rule in START_RULES} == tried


def test_the_message_says_why_it_was_rejected_and_what_to_do() -> None:
    found = why_not_started(replace(READY, rejected=REJECTED))

    assert found is not None
    assert "40 of 500 bad" in found.message
    assert "`kubectl serinus retry`" in found.message
