"""A program is built again when, and only when, something that goes into it changes."""

from dataclasses import replace
from pathlib import Path

import pytest

from native_cluster import layout, tools
from native_cluster.tools import ToolModule, build_command, cache_key

ROOT = Path(__file__).parents[3]
GO = "go1.26.8"
DNS = ToolModule("dns", (".",), binary="dns")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(layout, "TOOL_MODULES", tmp_path)
    folder = tmp_path / "dns"
    folder.mkdir()
    for name in ("go.mod", "go.sum", "main.go"):
        (folder / name).write_text(name)
    return folder


def test_the_same_inputs_have_the_same_key(module: Path) -> None:
    assert cache_key(DNS, GO) == cache_key(replace(DNS), GO)


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go"])
def test_another_file_has_another_key(module: Path, name: str) -> None:
    before = cache_key(DNS, GO)
    (module / name).write_text("other")

    assert cache_key(DNS, GO) != before


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(DNS, tags="netgo"), id="tags"),
        pytest.param(replace(DNS, ldflags="-s"), id="linker flags"),
        pytest.param(replace(DNS, packages=("./cmd",)), id="packages"),
    ],
)
def test_other_settings_have_another_key(module: Path, changed: ToolModule) -> None:
    assert cache_key(changed, GO) != cache_key(DNS, GO)


def test_another_go_has_another_key(module: Path) -> None:
    assert cache_key(DNS, "go1.27.0") != cache_key(DNS, GO)


def test_a_build_changes_no_locked_version(tmp_path: Path) -> None:
    command = build_command(tools.PROMETHEUS, tmp_path)

    assert "-mod=readonly" in command
    assert command[command.index("-tags") + 1] == "netgo,remove_all_sd,enable_kubernetes_sd"
    assert command[-1] == "github.com/prometheus/prometheus/cmd/prometheus"


ALL = (*tools.CLUSTER_MODULES, *tools.TEST_MODULES, tools.KIND, tools.KUBECTL, tools.TRAEFIK)


@pytest.mark.parametrize("tool", {tool.name: tool for tool in ALL}.values(), ids=lambda it: it.name)
def test_each_module_is_locked_and_names_its_packages(tool: ToolModule) -> None:
    go_mod = (ROOT / "hack/tools" / tool.folder.name / "go.mod").read_text()
    go_sum = ROOT / "hack/tools" / tool.folder.name / "go.sum"

    assert "require" not in go_mod or go_sum.stat().st_size > 0
    for package in tool.packages:
        assert package == "." or package in go_mod


def test_the_version_that_kubernetes_tells_is_the_locked_one() -> None:
    go_mod = (ROOT / "hack/tools/kubernetes/go.mod").read_text()

    assert f"k8s.io/kubernetes {tools.KUBERNETES_VERSION}" in go_mod
