"""Objects as the watch tells of them, with as little in them as the shell looks at."""

from typing import Any

from serinus.api.enums import Kind

Body = dict[str, Any]
NAMESPACE = "flights"


def our(kind: Kind, name: str, *, spec: Body | None = None, status: Body | None = None) -> Body:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": kind.value,
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": name, "resourceVersion": "1"},
        "spec": spec or {},
        "status": status or {},
    }


def child(kind: str, name: str, **labels: str) -> Body:
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": name,
        "resourceVersion": "1",
        "labels": {f"serinus.dev/{key}": value for key, value in labels.items()},
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}
