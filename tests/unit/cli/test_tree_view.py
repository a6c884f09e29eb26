import io

import pytest
from rich.console import Console

from serinus.api.deployment_status import Exposures
from serinus.cli.health import Health
from serinus.cli.lineage import Node
from serinus.cli.reading import resource_of
from serinus.cli.terminal import SystemClock, console_on, show
from serinus.cli.tree_view import header, tree_table
from tests.support.command_line import IN_CANARY, NOW, deployment


def test_colours_come_on_a_terminal_only() -> None:
    node = Node("flights", "FeatureSet", "Ready", Health.GOOD, None, "")
    plain, terminal = io.StringIO(), io.StringIO()

    show(console_on(plain, color=True), tree_table([node], NOW))
    show(Console(file=terminal, force_terminal=True), tree_table([node], NOW))

    assert "\x1b[" not in plain.getvalue()
    assert "\x1b[32mReady" in terminal.getvalue()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    written = io.StringIO()

    console_on(written, color=True).print("x", style="green")

    assert "\x1b[32m" not in written.getvalue()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"actual_weight": 25}, "25 % of requests (20 % asked for)"),
        ({"paused_by": "mia"}, "20 % of requests, paused by mia"),
        ({"promoting": True}, "promoted: waits for its pods"),
        ({"step": 0}, "step 1 of 5 (setWeight 20)"),
        ({"step": 2}, "step 3 of 5 (pause until promoted)"),
        (
            {
                "rules": {"steps": [{"analyze": {}}], "abTest": {"canaryPercent": 30}},
                "exposures": Exposures(canary=312, stable=701, pods=4),
            },
            "30 % of units (312 met, 701 of stable)",
        ),
        ({"rules": None}, "the first revision: becomes stable when its pods are ready"),
    ],
)
def test_the_canary_says_where_it_is(change: dict[str, object], text: str) -> None:
    assert IN_CANARY.canary is not None
    status = IN_CANARY.model_copy(update={"canary": IN_CANARY.canary.model_copy(update=change)})
    written = io.StringIO()

    show(console_on(written, color=False), header(resource_of(deployment(status)), NOW))

    assert text in written.getvalue()


def test_the_machine_has_a_clock() -> None:
    clock = SystemClock()

    began = clock.elapsed_seconds()
    clock.wait(0.001)

    assert clock.elapsed_seconds() > began
    assert clock.now().tzinfo is not None
