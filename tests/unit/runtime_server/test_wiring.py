"""What the settings become: ids that tell pods apart, peers where there are any, places."""

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.feedback_home import tag_of
from serinus_runtime.server.settings import Settings, SettingsError, settings_from_environment
from serinus_runtime.server.wiring import connections_possible, door_limits, made_ids, made_peers
from tests.support.model_servers import KEY, environment


@pytest.fixture
def settings(two_classes: Packaged, store: Path) -> Settings:
    return settings_of(two_classes, store)


def settings_of(package: Packaged, store: Path, **changes: str) -> Settings:
    return settings_from_environment(environment(package, store, **changes))


def unique(settings: Settings) -> bytes:
    ids = made_ids(settings, KEY)
    return ids.opened(ids.of_values(np.array([1.0]), issued_at_ms=0)).unique


def test_ids_name_the_address_of_their_pod_and_no_process_repeats_another(
    two_classes: Packaged, store: Path
) -> None:
    settings = settings_of(two_classes, store, POD_IP="FD00::0001")

    before, after = unique(settings), unique(settings)

    assert before[:4] == after[:4] == tag_of("fd00::1")
    assert before != after


def test_without_an_address_each_process_has_a_tag_of_its_own(settings: Settings) -> None:
    assert unique(settings)[:4] != unique(settings)[:4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TRACES_URL": "collector:4318"}, "SERINUS_TRACES_URL: expected http://HOST:PORT"),
        ({"TRACES_URL": "http://:4318"}, "SERINUS_TRACES_URL: expected http://HOST:PORT"),
        ({"TRACES_URL": "http://collector:http"}, "SERINUS_TRACES_URL: Port could not be cast"),
        ({"TRACES_SAMPLE_RATIO": "2"}, "SERINUS_TRACES_SAMPLE_RATIO: expected 0 to 1"),
        ({"TRACES_SAMPLE_RATIO": "nan"}, "SERINUS_TRACES_SAMPLE_RATIO: expected 0 to 1"),
    ],
)
def test_where_spans_can_t_go_the_server_says_so(
    two_classes: Packaged, store: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of(two_classes, store, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"FEEDBACK_WRONG_BEYOND": "0"}, "SERINUS_FEEDBACK_WRONG_BEYOND: expected a decimal"),
        ({"FEEDBACK_WRONG_BEYOND": "30m"}, "SERINUS_FEEDBACK_WRONG_BEYOND: expected a decimal"),
        ({"FEEDBACK_SCORES": "brier"}, "SERINUS_FEEDBACK_SCORES: Expecting value"),
        ({"FEEDBACK_SCORES": '[{"score": "brier"}]'}, "SERINUS_FEEDBACK_SCORES: expected bound"),
    ],
)
def test_rules_for_labels_that_cant_hold_are_refused(
    two_classes: Packaged, store: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of(two_classes, store, **changes)


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({}, None),
        ({"PEERS": "delay-feedback"}, None),
        ({"POD_IP": "10.0.0.1"}, None),
        ({"POD_IP": "10.0.0.1", "PEERS": "delay-feedback"}, "10.0.0.1"),
    ],
)
def test_there_are_peers_where_name_and_own_address_are_known(
    two_classes: Packaged, store: Path, changes: dict[str, str], own: str | None
) -> None:
    peers = made_peers(settings_of(two_classes, store, **changes), KEY)

    assert (peers.own if peers else None) == own


def test_bodies_of_the_largest_size_always_find_room(two_classes: Packaged, store: Path) -> None:
    settings = settings_of(two_classes, store, MAX_BODY_BYTES=str(100 << 20))

    assert door_limits(settings).held_bytes == 200 << 20


@pytest.fixture
def files() -> Iterator[None]:
    """The process may have few files, and more if it asks."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("files")
def test_files_are_asked_for_where_the_connections_need_them() -> None:
    assert connections_possible(100) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
    assert connections_possible(500) == 500
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 628
