"""The adapter keeps the contract against a real API server, with a kubeconfig's credentials."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serinus.api.enums import Kind
from serinus.cluster.credentials import find_api_server
from serinus.cluster.errors import Forbidden, NamespaceTerminating, Transient
from serinus.cluster.kube import USER_AGENT, KubeOverHttp
from serinus.cluster.ports import Kube
from serinus.cluster.resources import HTTP_ROUTE, OWNERS, Resource
from tests.support.api_server import ApiServer, write_kubeconfig
from tests.support.kube_contract import KubeContract, model_version, refused


@pytest.fixture
async def kube(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubeOverHttp]:
    config = write_kubeconfig(tmp_path / "config", url=api_server.url)
    monkeypatch.setenv("KUBECONFIG", str(config))
    async with KubeOverHttp(await find_api_server()) as found:
        yield found


class TestKubeOverHttp(KubeContract):
    pass


async def test_the_field_manager_is_ours(kube: Kube, namespace: str) -> None:
    made = await kube.create(model_version(namespace))

    managers = {entry["manager"] for entry in made["metadata"]["managedFields"]}

    assert managers == {"serinus"}


async def test_a_namespace_that_goes_away_is_told_from_a_missing_right(
    kube: Kube, namespace: str, api_server: ApiServer
) -> None:
    await kube.create(model_version(namespace))
    api_server.delete(f"/api/v1/namespaces/{namespace}")

    with refused(NamespaceTerminating):
        await kube.create(model_version(namespace, "delay-2"))


async def test_a_list_goes_over_several_pages(
    kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serinus.cluster.kube.PAGE_SIZE", 2)
    for number in range(5):
        await kube.create(model_version(namespace, f"delay-{number}"))

    listed = await kube.list_metadata(OWNERS[Kind.MODEL_VERSION], namespace)

    assert sorted(one["metadata"]["name"] for one in listed) == [f"delay-{n}" for n in range(5)]


async def test_what_the_server_serves_is_told_from_what_it_lacks(kube: KubeOverHttp) -> None:
    of_no_group = Resource("nobody.example.org/v1", "Thing", "things")
    of_no_kind = Resource(HTTP_ROUTE.api_version, "Thing", "things")

    assert await kube.serves(HTTP_ROUTE)
    assert not await kube.serves(of_no_group)
    assert not await kube.serves(of_no_kind)


async def test_without_rights_the_error_says_who_and_what(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_kubeconfig(tmp_path / "config", url=api_server.url, token="unknown")
    monkeypatch.setenv("KUBECONFIG", str(config))

    async with KubeOverHttp(await find_api_server()) as stranger:
        with refused(Forbidden):
            await stranger.list_metadata(OWNERS[Kind.MODEL_VERSION], None)


async def test_a_server_that_is_away_is_transient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_kubeconfig(tmp_path / "config", url="https://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", str(config))

    async with KubeOverHttp(await find_api_server()) as nobody:
        with refused(Transient):
            await nobody.list_metadata(OWNERS[Kind.MODEL_VERSION], None)


def test_the_audit_log_can_tell_us_by_our_user_agent() -> None:
    assert USER_AGENT.startswith("serinus-operator/")
