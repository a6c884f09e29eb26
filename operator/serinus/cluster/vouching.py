"""Whether the API server vouches for the people whom requests name.

It does while the chart's admission policy is in force. The policy is looked at when a request
waits to be carried out: it may be taken away or made anew at any time, and what is recorded of who
asked must not say more than is known.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from serinus.api.conditions import parse_time
from serinus.cluster.errors import KubeError
from serinus.cluster.ports import Kube
from serinus.cluster.resources import POLICY, POLICY_BINDING, Resource
from serinus.reconcile.decision import JsonObject, ObjectRef

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """Implements `Vouching` by a ValidatingAdmissionPolicy and the binding of its name."""

    kube: Kube
    name: str

    async def vouched_since(self) -> datetime | None:
        """When the younger of the two was made; None where one is missing or denies nothing."""
        try:
            policy, binding = [await self._read(kind) for kind in (POLICY, POLICY_BINDING)]
        except KubeError as error:
            details = {"policy": self.name, "error": str(error)}
            _log.warning("nobody vouches for actors", extra=details)
            return None
        spec = binding.get("spec", {})
        if spec.get("policyName") != self.name or "Deny" not in spec.get("validationActions", ()):
            details = {"policy": self.name, "error": "its binding doesn't deny"}
            _log.warning("nobody vouches for actors", extra=details)
            return None
        return max(parse_time(one["metadata"]["creationTimestamp"]) for one in (policy, binding))

    async def _read(self, kind: Resource) -> JsonObject:
        return await self.kube.get(ObjectRef(kind.api_version, kind.kind, "", self.name))


class NobodyVouches:
    """Implements `Vouching` where no policy was installed."""

    async def vouched_since(self) -> datetime | None:
        """Never."""
        return None
