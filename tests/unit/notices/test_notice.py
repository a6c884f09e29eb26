import json
from typing import Any

import pytest

from serinus.notices.notice import notice_of

RECORD: dict[str, Any] = {
    "metadata": {"labels": {"serinus.dev/record": "8"}},
    "data": {
        "decision.json": json.dumps(
            {
                "action": "rollback",
                "revision": "0badc0ffee",
                "modelVersion": "v2",
                "reason": "EvidenceOfHarm",
                "because": "errors: canary 95 of 310 bad",
                "actor": "",
                "at": "2026-11-21T12:00:00.000000Z",
                "rules": {"steps": []},
                "serving": {},
            }
        )
    },
}


def owner(**annotations: str) -> dict[str, Any]:
    metadata = {"namespace": "flights", "name": "delay", "uid": "uid-1", "annotations": annotations}
    return {"metadata": metadata}


def test_a_notice_tells_what_happened_to_what() -> None:
    notice = notice_of(owner(), RECORD)

    assert notice.title == "flights/delay: rollback of revision 0badc0ffee (v2)"
    assert notice.because == "errors: canary 95 of 310 bad"
    assert notice.source == ("/apis/serinus.dev/v1alpha1/namespaces/flights/modeldeployments/delay")


def test_the_same_decision_has_the_same_id_and_another_incarnation_another() -> None:
    again = {"metadata": {"namespace": "flights", "name": "delay", "uid": "uid-2"}}

    assert notice_of(owner(), RECORD).id == notice_of(owner(), RECORD).id == "uid-1/8"
    assert notice_of(again, RECORD).id == "uid-2/8"


def test_the_rules_of_the_rollout_are_not_told() -> None:
    assert "rules" not in notice_of(owner(), RECORD).decision


@pytest.mark.parametrize(
    ("annotations", "sinks"),
    [
        ({}, None),
        ({"serinus.dev/notices": "ops, team-a,"}, frozenset({"ops", "team-a"})),
        ({"serinus.dev/notices": ""}, frozenset()),
    ],
)
def test_a_deployment_chooses_by_name_who_is_told(annotations, sinks) -> None:
    assert notice_of(owner(**annotations), RECORD).sinks == sinks
