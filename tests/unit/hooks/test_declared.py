"""Which hooks there are, and who may name them."""

import json
from typing import Any

import pytest

from serinus.api.hooks import HookType
from serinus.hooks.declared import hooks_of, types_by_name


def declared(**changes: Any) -> dict[str, Any]:
    return {"name": "board", "urlFile": "/etc/serinus/hooks/board/url"} | changes


def test_a_hook_with_nothing_but_a_name_and_an_address() -> None:
    (hook,) = hooks_of(json.dumps([declared()]))

    assert (hook.interval_seconds, hook.timeout_seconds) == (30, 10)
    assert hook.types == (HookType.CONFIRM_PROMOTION, HookType.ROLLBACK)
    assert hook.headers_file is None


def test_none_are_declared() -> None:
    assert hooks_of("") == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Board!"},
        {"types": ["event"]},
        {"types": []},
        {"intervalSeconds": 1},
        {"timeoutSeconds": 600},
    ],
)
def test_one_that_can_t_be_used_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        hooks_of(json.dumps([declared(**changes)]))


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two hooks bear the same name: board, board"):
        hooks_of(json.dumps([declared(), declared()]))


def test_a_namespace_sees_its_own() -> None:
    hooks = hooks_of(
        json.dumps(
            [
                declared(types=["rollback"]),
                declared(name="of-a", namespaces=["team-a"]),
            ]
        )
    )

    assert types_by_name(hooks, "team-b") == {"board": {HookType.ROLLBACK}}
    assert set(types_by_name(hooks, "team-a")) == {"board", "of-a"}
