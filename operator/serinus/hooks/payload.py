"""A question in the words of Flagger's webhooks, so that what answers Flagger answers us. Pure.

References
----------
Flagger, "Webhooks": `CanaryWebhookPayload` has name, namespace, phase, checksum and metadata; HTTP
2xx is a yes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from serinus.reconcile.snapshot import HookQuestion

PHASE = "Progressing"
"""What Flagger says while a canary is being analysed, and when it asks for a confirmation."""


def body_for(question: HookQuestion, metadata: Mapping[str, str]) -> bytes:
    """The body of the POST; `checksum` tells revisions apart, as in Flagger."""
    payload = {
        "name": question.deployment,
        "namespace": question.namespace,
        "phase": PHASE,
        "checksum": question.revision,
        "metadata": {
            **metadata,
            "serinus.dev/hook": question.hook,
            "serinus.dev/type": question.type.value,
            "serinus.dev/model-version": question.model_version,
            "serinus.dev/rollout-started-at": question.started_at,
        },
    }
    return json.dumps(payload, ensure_ascii=False).encode()
