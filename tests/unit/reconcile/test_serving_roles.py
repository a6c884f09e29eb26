"""Which Deployments serve a ModelVersion."""

from serinus.reconcile.serving_roles import SERVED_BY_MAX, serving_roles


def stable(name: str, version: str) -> dict[str, object]:
    status = {"stable": {"revision": "a" * 10, "modelVersion": version}}
    return {"metadata": {"name": name}, "status": status}


def test_a_version_that_nobody_serves_has_no_roles() -> None:
    unborn = {"metadata": {"name": "new"}}

    assert serving_roles("delay-1", [stable("a", "delay-2"), unborn]) == ()


def test_what_cannot_be_read_serves_nothing() -> None:
    odd = [
        {"metadata": {"name": "a"}, "status": "text"},
        {"metadata": {"name": "b"}, "status": {"stable": "delay-1", "canary": None}},
    ]

    assert serving_roles("delay-1", odd) == ()


def test_many_deployments_are_named_in_order_and_no_more_than_fit() -> None:
    many = [stable(f"d{number:03}", "delay-1") for number in reversed(range(60))]
    found = serving_roles("delay-1", many)

    assert len(found) == SERVED_BY_MAX
    assert found[0].deployment == "d000"
