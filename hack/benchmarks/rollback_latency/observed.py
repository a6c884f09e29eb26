"""One rollout as watches show it: when the canary's requests and its endpoints were gone.

Pure: events go in with the time at which they arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serinus.analysis.state import StateUnreadableError, decode_state
from serinus.manifests.naming import REVISION_LABEL, revision_service_name, service_name

JsonObject = Mapping[str, Any]
SERVICE_OF_SLICE = "kubernetes.io/service-name"


@dataclass(slots=True)
class Rollout:
    """A rollout of the Deployment `name`; times are Unix seconds, None before they came.

    Attributes
    ----------
    watermark_ms
        End of the last round of scrapes that was judged without a rollback.
    decided_at
        The status says that the rollout is over.
    weight_zero_at
        The router gives the canary nothing, after it gave it something.
    unready_at
        No endpoint of the canary is ready in a Service through which requests come.
    """

    name: str
    revision: str = ""
    stable: str = ""
    watermark_ms: int = 0
    action: str = ""
    decided_at: float | None = None
    weight_zero_at: float | None = None
    unready_at: float | None = None
    _had_share: bool = False
    _was_ready: bool = False
    _ready: dict[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether all of it was seen."""
        return None not in (self.decided_at, self.weight_zero_at, self.unready_at)

    @property
    def has_share(self) -> bool:
        """Whether the canary has requests now."""
        return self._had_share and self.weight_zero_at is None

    def take(self, body: JsonObject, at: float) -> None:
        """Take in an event."""
        match body["kind"]:
            case "Deployment" if body["metadata"]["name"] == self.name:
                self._take_status(body.get("status") or {}, at)
            case "Service" | "HTTPRoute" if self.revision:
                self._take_share(_share(body, self.name, self.revision, self.stable), at)
            case "EndpointSlice":
                self._take_slice(body, at)

    def _take_status(self, status: JsonObject, at: float) -> None:
        canary = status.get("canary")
        if canary:
            self.revision, self.stable = canary["revision"], status["stable"]["revision"]
            found = [_watermark_ms(one.get("state")) for one in status.get("analysis", ())]
            self.watermark_ms = max([self.watermark_ms, *found])
        elif self.revision and self.decided_at is None:
            self.decided_at, self.action = at, status["history"][-1]["action"]

    def _take_share(self, share: bool | None, at: float) -> None:
        if share:
            self._had_share, self.weight_zero_at = True, None
        elif share is False and self._had_share and self.weight_zero_at is None:
            self.weight_zero_at = at

    def _take_slice(self, body: JsonObject, at: float) -> None:
        service = body["metadata"].get("labels", {}).get(SERVICE_OF_SLICE)
        ours = (service_name(self.name), revision_service_name(self.name, self.revision))
        if not self.revision or service not in ours:
            return
        self._ready[body["metadata"]["name"]] = sum(
            bool(one.get("conditions", {}).get("ready"))
            for one in body.get("endpoints") or ()
            if one.get("targetRef", {}).get("name", "").startswith(f"{self.name}-{self.revision}-")
        )
        if any(self._ready.values()):
            self._was_ready, self.unready_at = True, None
        elif self._was_ready and self.unready_at is None:
            self.unready_at = at


def _share(body: JsonObject, name: str, revision: str, stable: str) -> bool | None:
    """Whether the router gives the canary requests; None where the object doesn't tell."""
    if body["kind"] == "HTTPRoute":
        if body["metadata"]["name"] != name:
            return None
        of_canary = revision_service_name(name, revision)
        return any(
            backend["name"] == of_canary and backend.get("weight", 1) > 0
            for rule in body["spec"].get("rules", ())
            if rule.get("name") == "serinus"
            for backend in rule.get("backendRefs", ())
        )
    if body["metadata"]["name"] != service_name(name):
        return None
    return bool(body["spec"]["selector"].get(REVISION_LABEL) != stable)


def _watermark_ms(state: str | None) -> int:
    if state is None:
        return 0
    try:
        return decode_state(state).watermark_ms
    except StateUnreadableError:
        return 0
