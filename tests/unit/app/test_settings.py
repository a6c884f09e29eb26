from pathlib import Path

import pytest

from serinus.app.settings import SettingsError, read_settings

REQUIRED = {"SERINUS_JOBS_IMAGE": "jobs:1", "SERINUS_SERVER_IMAGE": "server:1"}


def test_images_are_enough() -> None:
    settings = read_settings(REQUIRED)

    assert settings.watch_namespaces == ()
    assert settings.prometheus_url is None
    assert settings.pod_uid
    assert settings.for_builders().jobs_image == "jobs:1"


def test_all_of_the_charts_variables_are_read() -> None:
    settings = read_settings(
        REQUIRED
        | {
            "POD_UID": "uid",
            "POD_NAME": "serinus-0",
            "SERINUS_LEASE_NAME": "release",
            "SERINUS_LEASE_NAMESPACE": "system",
            "SERINUS_IMAGE_PULL_POLICY": "Always",
            "SERINUS_IMAGE_PULL_SECRETS": "registry-key,mirror-key",
            "SERINUS_PROMETHEUS_URL": "http://prometheus:9090",
            "SERINUS_PROMETHEUS_TOKEN_FILE": "/etc/serinus/prometheus/token",
            "SERINUS_WATCH_NAMESPACES": "team-a, team-b",
            "SERINUS_STORE_SIZE": "1Gi",
            "SERINUS_STORE_ACCESS_MODE": "ReadWriteMany",
            "SERINUS_STORE_STORAGE_CLASS": "fast",
            "SERINUS_JOBS_SCRATCH_SIZE": "50Gi",
            "SERINUS_SERVER_SCRATCH_SIZE": "2Gi",
            "SERINUS_REQUEST_POLICY": "serinus-requests",
            "SERINUS_LOG_LEVEL": "debug",
            "SERINUS_NOTICES": '[{"name": "ops", "type": "slack", "urlFile": "/etc/url"}]',
            "SERINUS_HOOKS": '[{"name": "board", "urlFile": "/etc/url"}]',
            "SERINUS_TRACE_COLLECTORS": '[{"name": "all", "url": "http://collector:4318"}]',
        }
    )
    builders = settings.for_builders()

    assert (settings.pod_uid, settings.lease_namespace) == ("uid", "system")
    assert settings.prometheus_token_file == Path("/etc/serinus/prometheus/token")
    assert settings.watch_namespaces == ("team-a", "team-b")
    assert settings.log_level == "DEBUG"
    assert settings.request_policy == "serinus-requests"
    assert builders.image_pull_policy == "Always"
    assert builders.image_pull_secrets == ("registry-key", "mirror-key")
    assert (builders.store.size, builders.store.storage_class) == ("1Gi", "fast")
    assert (builders.scratch.jobs_size, builders.scratch.server_size) == ("50Gi", "2Gi")
    assert [one.name for one in settings.notices] == ["ops"]
    assert [one.name for one in settings.hooks] == ["board"]
    assert builders.collectors_for("team-a")["all"].url == "http://collector:4318"


def test_empty_variables_are_as_if_they_werent_there() -> None:
    settings = read_settings(
        REQUIRED
        | {
            "SERINUS_PROMETHEUS_URL": "",
            "SERINUS_STORE_STORAGE_CLASS": "",
            "SERINUS_WATCH_NAMESPACES": "",
            "SERINUS_REQUEST_POLICY": "",
        }
    )

    assert settings.prometheus_url is None
    assert settings.for_builders().store.storage_class is None
    assert settings.watch_namespaces == ()
    assert settings.request_policy is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SERINUS_JOBS_IMAGE": ""}, "SERINUS_JOBS_IMAGE"),
        ({"SERINUS_LOG_LEVEL": "loud"}, "SERINUS_LOG_LEVEL"),
        ({"SERINUS_STORE_ACCESS_MODE": "Sometimes"}, "SERINUS_STORE_ACCESS_MODE"),
        ({"SERINUS_PORT": "99999"}, "SERINUS_PORT"),
        ({"SERINUS_NOTICES": '[{"name": "ops", "type": "pager"}]'}, "SERINUS_NOTICES"),
        ({"SERINUS_HOOKS": '[{"name": "board"}]'}, "SERINUS_HOOKS"),
        ({"SERINUS_TRACE_COLLECTORS": '[{"name": "all"}]'}, "SERINUS_TRACE_COLLECTORS"),
        ({"SERINUS_JOBS_SCRATCH_SIZE": "much"}, "SERINUS_JOBS_SCRATCH_SIZE"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read_settings(REQUIRED | change)


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"SERINUS_JOBS_IMAGE.*SERINUS_SERVER_IMAGE"):
        read_settings({})
