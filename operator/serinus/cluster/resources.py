"""Which kinds the operator deals with, and under which path the API server has them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from serinus.api.enums import PLURALS, Kind
from serinus.api.schema_model import API_VERSION
from serinus.manifests.naming import MANAGED_BY, MANAGED_BY_LABEL
from serinus.manifests.settings import StoreSettings


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced kind.

    `label_selector` and `field_selector` say which of its objects are observed; the rest is never
    sent to the operator.
    """

    api_version: str
    kind: str
    plural: str
    label_selector: str | None = None
    field_selector: str | None = None

    @property
    def group(self) -> str:
        """API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """Version inside the group."""
        return self.api_version.rpartition("/")[2]

    @property
    def label(self) -> str:
        """`<plural>.<group>`, as kubectl writes it, for logs and metrics."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Path of the collection or the object; without namespace: of all namespaces."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        inside = f"/namespaces/{quote(namespace)}" if namespace else ""
        one = f"/{quote(name)}" if name else ""
        return f"{root}{inside}/{self.plural}{one}"


_OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"

OWNERS: dict[Kind, Resource] = {
    kind: Resource(API_VERSION, kind.value, plural) for kind, plural in PLURALS.items()
}
"""The four kinds."""

CHILDREN: tuple[Resource, ...] = (
    Resource("batch/v1", "Job", "jobs", _OURS),
    Resource("v1", "Pod", "pods", _OURS),
    Resource("apps/v1", "Deployment", "deployments", _OURS),
    Resource("apps/v1", "ControllerRevision", "controllerrevisions", _OURS),
    Resource("v1", "Service", "services", _OURS),
    Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", _OURS),
    Resource("v1", "ConfigMap", "configmaps", _OURS),
    # Found by its name, because a claim that a person made bears none of our labels.
    Resource(
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        field_selector=f"metadata.name={StoreSettings().claim_name}",
    ),
)
"""What is observed of what the operator makes."""

HTTP_ROUTE = Resource("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", _OURS)
OPTIONAL: tuple[Resource, ...] = (HTTP_ROUTE,)
"""What is observed where the cluster has it."""

GATEWAY = Resource("gateway.networking.k8s.io/v1", "Gateway", "gateways")
GATEWAY_CLASS = Resource("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses")
"""It belongs to no namespace."""

SECRET = Resource("v1", "Secret", "secrets")
LEASE = Resource("coordination.k8s.io/v1", "Lease", "leases")
EVENT = Resource("events.k8s.io/v1", "Event", "events")
POLICY = Resource(
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
)
POLICY_BINDING = Resource(
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
)
"""These two belong to no namespace."""

OBSERVED: tuple[Resource, ...] = (*OWNERS.values(), *CHILDREN)

_BY_KIND = {
    (resource.api_version, resource.kind): resource
    for resource in (
        *OBSERVED,
        *OPTIONAL,
        GATEWAY,
        GATEWAY_CLASS,
        SECRET,
        LEASE,
        EVENT,
        POLICY,
        POLICY_BINDING,
    )
}


def resource_of(api_version: str, kind: str) -> Resource:
    """The resource of a kind.

    Raises
    ------
    KeyError
        If the operator doesn't deal with this kind.
    """
    return _BY_KIND[api_version, kind]
