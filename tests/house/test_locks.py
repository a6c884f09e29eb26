"""Locks: complete, hash-pinned, free of hosts, and all cut from one cloth."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCKS = ROOT / "hack/requirements"
EXTRAS_OF_LOCK = {
    "operator": ["operator"],
    "jobs": ["runtime-jobs"],
    "server": ["runtime-server"],
    "cli": ["cli"],
    "dev": list(PROJECT["optional-dependencies"]),
}
# Libraries of another plane: too large for an image that doesn't need them.
KEPT_OUT = {
    "operator": {"numpy", "pandas", "polars", "duckdb", "scikit-learn", "bentoml", "pyarrow"},
    "server": {"polars", "duckdb", "pandas", "pyarrow", "kopf", "kubernetes"},
    "jobs": {"bentoml", "kopf", "kubernetes", "pandas"},
    "cli": {"kopf", "kubernetes", "numpy"},
}


def pinned(lock: str) -> dict[str, set[str]]:
    """Versions of a lock by package; several where markers tell Pythons or systems apart."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", _text(lock), re.MULTILINE):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def _text(lock: str) -> str:
    return (LOCKS / f"{lock}.txt").read_text()


@pytest.mark.parametrize("lock", EXTRAS_OF_LOCK)
def test_each_direct_dependency_is_in_its_lock_at_a_version_that_fits(lock: str) -> None:
    declared = [*PROJECT["dependencies"]]
    for extra in EXTRAS_OF_LOCK[lock]:
        declared += PROJECT["optional-dependencies"][extra]
    versions = pinned(lock)

    unmet = [
        text
        for text in declared
        for requirement in [Requirement(text)]
        if not any(
            requirement.specifier.contains(version)
            for version in versions.get(canonicalize_name(requirement.name), ())
        )
    ]

    assert not unmet, f"{lock}.txt lacks {unmet}. Run: hack/lock"


def test_the_data_of_the_demo_is_locked() -> None:
    (requirement,) = [Requirement(text) for text in PYPROJECT["dependency-groups"]["demo"]]

    (version,) = pinned("demo")[requirement.name]

    assert requirement.specifier.contains(version)


LOCKED_BESIDE = ("demo", "clients", "mlserver", "schemathesis", "shap")


@pytest.mark.parametrize("lock", [*EXTRAS_OF_LOCK, *LOCKED_BESIDE])
def test_each_pin_has_a_hash_and_no_address(lock: str) -> None:
    pins = re.split(r"\n(?=[A-Za-z0-9])", _text(lock).split("\n", 1)[1])

    without_hash = [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin]

    assert not without_hash
    assert "://" not in _text(lock)
    assert "--index-url" not in _text(lock)


@pytest.mark.parametrize("lock", sorted(set(EXTRAS_OF_LOCK) - {"dev"}))
def test_what_is_shipped_is_what_is_tested(lock: str) -> None:
    tested = pinned("dev")

    untested = {
        name: versions
        for name, versions in pinned(lock).items()
        if not versions <= tested.get(name, set())
    }

    assert not untested, f"{lock}.txt and dev.txt differ in {untested}. Run: hack/lock"


@pytest.mark.parametrize(("lock", "unwanted"), KEPT_OUT.items())
def test_an_image_holds_no_library_of_another_plane(lock: str, unwanted: set[str]) -> None:
    assert not unwanted & set(pinned(lock))
