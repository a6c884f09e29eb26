"""What kopf is told to do, and above all not to do."""

import ast
import inspect

import kopf

from serinus.app import handlers
from serinus.app.handlers import event_settings
from serinus.cluster.kube import PAGE_SIZE
from serinus.cluster.resources import OBSERVED

MAX_LINES = 100


def test_handlers_stay_short() -> None:
    assert len(inspect.getsource(handlers).splitlines()) <= MAX_LINES


def test_kopf_writes_nothing() -> None:
    settings = event_settings(OBSERVED)

    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone
    used = {
        f"{node.value.value.id}.{node.value.attr}.{node.attr}"
        for node in ast.walk(ast.parse(inspect.getsource(handlers)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and isinstance(node.value.value, ast.Name)
        and node.value.attr == "on"
    }
    assert used == {"kopf.on.login", "kopf.on.event"}


def test_a_start_with_many_objects_is_spread() -> None:
    """Lists come in pages, and the task of an object is gone soon after its event."""
    settings = event_settings(OBSERVED)

    assert 0 < settings.queueing.idle_timeout < 1
    assert settings.queueing.worker_limit is None
    assert settings.watching.chunk_size == PAGE_SIZE


def test_children_are_selected_by_the_server() -> None:
    settings = event_settings(OBSERVED)
    jobs = kopf.Resource(
        group="batch", version="v1", plural="jobs", kind="Job", singular="job", namespaced=True
    )
    claims = kopf.Resource(group="", version="v1", plural="persistentvolumeclaims")

    assert settings.watching.label_selectors.collect(jobs) == [
        "app.kubernetes.io/managed-by=serinus"
    ]
    assert settings.watching.field_selectors.collect(claims) == ["metadata.name=serinus-store"]
