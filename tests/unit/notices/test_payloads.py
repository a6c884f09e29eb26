import json
from dataclasses import replace
from typing import Any

from serinus.notices.notice import Notice, notice_of
from serinus.notices.payloads import payload_for
from serinus.notices.sinks import SinkType
from tests.unit.notices.test_notice import RECORD, owner

NOTICE = notice_of(owner(), RECORD)


def body(type_: SinkType, notice: Notice = NOTICE) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(payload_for(type_, notice).body)
    return decoded


def test_a_cloud_event_has_what_version_1_asks_for_in_structured_mode() -> None:
    payload = payload_for(SinkType.CLOUD_EVENTS, NOTICE)

    assert payload.content_type.startswith("application/cloudevents+json")
    assert json.loads(payload.body) == {
        "specversion": "1.0",
        "id": "uid-1/8",
        "source": "/apis/serinus.dev/v1alpha1/namespaces/flights/modeldeployments/delay",
        "type": "dev.serinus.deployment.rollback",
        "subject": "flights/delay",
        "time": "2026-11-21T12:00:00.000000Z",
        "datacontenttype": "application/json",
        "data": NOTICE.decision,
    }


def test_slack_gets_a_line_for_lists_and_a_section_to_read() -> None:
    told = body(SinkType.SLACK)

    (section,) = told["blocks"]
    assert told["text"] == "flights/delay: rollback of revision 0badc0ffee (v2)"
    assert section["type"] == "section"
    assert section["text"] == {
        "type": "mrkdwn",
        "text": "*flights/delay: rollback of revision 0badc0ffee (v2)*\n"
        "errors: canary 95 of 310 bad\n"
        "EvidenceOfHarm, by Serinus at 2026-11-21T12:00:00.000000Z",
    }


def test_what_people_write_is_neither_a_mention_nor_a_link_in_slack() -> None:
    because = "asked for: <!channel> & <https://example.com|click>"
    told = body(SinkType.SLACK, replace(NOTICE, because=because, actor="<@U1>"))

    text = told["blocks"][0]["text"]["text"]
    assert "<" not in text
    assert "&lt;!channel&gt; &amp;" in text


def test_teams_gets_an_adaptive_card_in_a_message() -> None:
    told = body(SinkType.TEAMS, replace(NOTICE, actor="ada"))

    (attachment,) = told["attachments"]
    card = attachment["content"]
    assert told["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [one["type"] for one in card["body"]] == ["TextBlock", "TextBlock", "FactSet"]
    assert {"title": "By", "value": "ada"} in card["body"][2]["facts"]


def test_a_webhook_gets_the_decision_as_it_was_recorded() -> None:
    told = body(SinkType.WEBHOOK)

    assert NOTICE.decision.items() <= told.items()
    assert told["id"] == NOTICE.id
