"""The body that a receiver of Flagger's webhooks knows."""

import json

from serinus.api.hooks import HookType
from serinus.hooks.payload import body_for
from serinus.reconcile.snapshot import HookQuestion

QUESTION = HookQuestion(
    namespace="flights",
    deployment="delay",
    uid="u",
    revision="c0ffee0000",
    model_version="delay-2",
    started_at="2024-05-06T11:00:00Z",
    type=HookType.CONFIRM_PROMOTION,
    hook="board",
    asked_since="2024-05-06T11:30:00Z",
)


def test_it_has_flagger_s_fields_and_texts_only() -> None:
    body = json.loads(body_for(QUESTION, {"type": "cmd", "cmd": "check"}))

    assert set(body) == {"name", "namespace", "phase", "checksum", "metadata"}
    assert [body[key] for key in ("name", "namespace", "phase", "checksum")] == [
        "delay",
        "flights",
        "Progressing",
        "c0ffee0000",
    ]
    assert body["metadata"] == {
        "type": "cmd",
        "cmd": "check",
        "serinus.dev/hook": "board",
        "serinus.dev/type": "confirm-promotion",
        "serinus.dev/model-version": "delay-2",
        "serinus.dev/rollout-started-at": "2024-05-06T11:00:00Z",
    }
