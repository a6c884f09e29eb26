"""Random bytes for a Secret that the operator makes and can't read."""

from __future__ import annotations

import base64
import secrets

from serinus.reconcile.decision import JsonObject

KEY_BYTES = 32
KEY_FIELD = "key"


def with_random_key(body: JsonObject) -> JsonObject:
    """The Secret `body` with 32 random bytes under `key`."""
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return {**body, "data": {KEY_FIELD: key}}
