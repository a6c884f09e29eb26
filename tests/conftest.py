"""Markers by folder, suites in order of cost, golden files, Hypothesis settings."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support.golden import assert_matches_golden

TESTS = Path(__file__).parent
# Suites, cheap ones first, and what a test may take where it doesn't say so itself.
TIMEOUT_SECONDS = {
    "house": 60,
    "unit": 60,
    "property": 120,
    "simulation": 300,
    "apiserver": 300,
    "cluster": 900,
}
SUITES = tuple(TIMEOUT_SECONDS)
# What is raised once for all their tests: where tests are spread over processes, one has them all.
RAISED_ONCE = ("apiserver", "cluster")

# Machines are small: a slow example is no failure. CI draws the same examples each time.
hypothesis.settings.register_profile("serinus", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "serinus")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite golden files; review the diff")


class EachServerInOneProcess(LoadScopeScheduling):  # type: ignore[misc]  # without types
    """Spreads tests over processes one by one, but a suite that raises a server to one of them.

    `--dist loadgroup` would do, but for node ids, which are no longer plain text in pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        suite = nodeid.removeprefix("tests/").partition("/")[0]
        return suite if suite in RAISED_ONCE else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> EachServerInOneProcess | None:
    return EachServerInOneProcess(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        suite = _suite(item.path)
        if suite in SUITES:
            item.add_marker(suite)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS[suite]))
    items.sort(key=_cost)


@functools.cache
def _suite(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]


def _cost(item: pytest.Item) -> int:
    suite = _suite(item.path)
    return SUITES.index(suite) if suite in SUITES else len(SUITES)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """golden("manifests/job.yaml", text): the same as that file below tests/golden."""
    accept = bool(request.config.getoption("--accept"))

    def check(name: str, text: str) -> None:
        assert_matches_golden(TESTS / "golden" / name, text, accept=accept)

    return check
