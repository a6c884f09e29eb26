"""A notice in the words of each kind of sink. Pure.

References
----------
CloudEvents 1.0.2, "JSON event format"; Slack, "Sending messages using incoming webhooks"; Microsoft
Teams, "Create incoming webhooks with Workflows", whose attachments are adaptive cards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.notices.notice import Notice
from serinus.notices.sinks import SinkType

_JSON = "application/json"
_CARD = "application/vnd.microsoft.card.adaptive"
_CARD_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a POST, and of what type it is."""

    content_type: str
    body: bytes


def payload_for(type_: SinkType, notice: Notice) -> Payload:
    """What a sink of this type is sent."""
    content_type, words = _PAYLOADS[type_]
    return Payload(content_type, json.dumps(words(notice), ensure_ascii=False).encode())


def _cloud_event(notice: Notice) -> Mapping[str, Any]:
    return {
        "specversion": "1.0",
        "id": notice.id,
        "source": notice.source,
        "type": f"dev.serinus.deployment.{notice.action}",
        "subject": f"{notice.namespace}/{notice.name}",
        "time": notice.at,
        "datacontenttype": _JSON,
        "data": notice.decision,
    }


def _slack(notice: Notice) -> Mapping[str, Any]:
    text = f"*{_slack_text(notice.title)}*\n{_slack_text(notice.because)}\n{_by(notice)}"
    return {
        "text": _slack_text(notice.title),
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
    }


def _slack_text(text: str) -> str:
    """The three signs by which Slack knows links and mentions, as text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(notice: Notice) -> Mapping[str, Any]:
    facts = {"Reason": notice.reason or "-", "By": notice.actor or "Serinus", "At": notice.at}
    card = {
        "$schema": _CARD_SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": notice.title, "weight": "Bolder", "wrap": True},
            {"type": "TextBlock", "text": notice.because, "wrap": True},
            {
                "type": "FactSet",
                "facts": [{"title": title, "value": value} for title, value in facts.items()],
            },
        ],
    }
    attachment = {"contentType": _CARD, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _by(notice: Notice) -> str:
    reason = f"{_slack_text(notice.reason)}, " if notice.reason else ""
    return f"{reason}by {_slack_text(notice.actor or 'Serinus')} at {notice.at}"


def _webhook(notice: Notice) -> Mapping[str, Any]:
    return {"id": notice.id, "source": notice.source, "title": notice.title, **notice.decision}


_PAYLOADS: Mapping[SinkType, tuple[str, Callable[[Notice], Mapping[str, Any]]]] = {
    SinkType.CLOUD_EVENTS: ("application/cloudevents+json; charset=utf-8", _cloud_event),
    SinkType.SLACK: (_JSON, _slack),
    SinkType.TEAMS: (_JSON, _teams),
    SinkType.WEBHOOK: (_JSON, _webhook),
}
