"""Recipes of the images: what they promise about users, secrets and contents."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ("operator", "jobs", "server")


def recipe(image: str) -> str:
    return (ROOT / "hack/images" / image / "Containerfile").read_text()


def copied(image: str) -> set[str]:
    """Paths of the checkout that go into an image."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", recipe(image), re.MULTILINE)
    return {path for line in lines for path in line.split()[:-1]}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_user_that_kubernetes_can_see_is_not_root(image: str) -> None:
    assert re.findall(r"^USER (.+)$", recipe(image), re.MULTILINE) == ["65532:65532"]


@pytest.mark.parametrize("image", IMAGES)
def test_the_base_is_an_argument(image: str) -> None:
    stages = re.findall(r"^FROM (\S+)", recipe(image), re.MULTILINE)

    assert set(stages) == {"${BASE_IMAGE}"}


@pytest.mark.parametrize("image", IMAGES)
def test_packages_come_by_hash_from_the_lock_of_the_image(image: str) -> None:
    assert f"hack/requirements/{image}.txt" in copied(image)
    assert "--require-hashes" in recipe(image)


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_copied_exists(image: str) -> None:
    assert all((ROOT / path).exists() for path in copied(image))


def test_the_planes_don_t_carry_each_other() -> None:
    assert not any(path.startswith("serving/") for path in copied("operator"))
    for image in ("jobs", "server"):
        packages = {path for path in copied(image) if path.startswith("operator/")}
        assert {Path(path).name for path in packages} == {"__init__.py", "py.typed", "api"}


@pytest.fixture(scope="module")
def pip_config() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pip_config", ROOT / "hack/images/pip_config.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_settings_that_say_where_packages_come_from_reach_a_build(
    pip_config: ModuleType,
) -> None:
    listing = (
        "global.cert='/somewhere/ca.crt'\n"
        "global.index-url='https://index.example/simple'\n"
        "global.user='true'\n"
        "install.trusted-host='index.example'\n"
        ":env:.find-links='/wheels'\n"
        ":env:.index-url='https://other.example/simple'\n"
    )

    lines = pip_config.pip_conf(listing).splitlines()

    assert lines == [
        "# certificates: /somewhere/ca.crt",
        "[global]",
        "index-url = https://other.example/simple",
        "trusted-host = index.example",
        "cert = /run/ca-certificates.crt",
    ]


def test_without_settings_pip_uses_its_own(pip_config: ModuleType) -> None:
    assert pip_config.pip_conf("").splitlines() == ["# certificates: ", "[global]"]


@pytest.mark.parametrize("image", ["jobs", "server"])
def test_the_compiler_stays_in_its_stage(image: str) -> None:
    *_, last = recipe(image).split("\nFROM ")

    assert "ziglang" in recipe(image)
    assert "ziglang" not in last
    assert "-ffast-math" not in recipe(image)
