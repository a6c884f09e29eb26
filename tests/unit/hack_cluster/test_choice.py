"""Which cluster is used."""

import pytest

from native_cluster.choice import Provider, choose, gateway, is_default
from native_cluster.terminal import ClusterError


def engine_runs() -> bool:
    return True


def no_engine_runs() -> bool:
    return False


def nobody_may_ask() -> bool:
    raise AssertionError("asking takes seconds, and the answer is known")


def test_a_named_cluster_comes_before_all_others() -> None:
    named = {"SERINUS_KUBECONFIG": "/somewhere", "SERINUS_CLUSTER_PROVIDER": "native"}

    assert choose(named, nobody_may_ask) is Provider.GIVEN


def test_kind_is_used_where_a_container_engine_runs() -> None:
    assert choose({}, engine_runs) is Provider.KIND


def test_the_native_cluster_is_used_where_none_runs() -> None:
    assert choose({}, no_engine_runs) is Provider.NATIVE


def test_the_kubeconfig_of_daily_work_is_never_used() -> None:
    assert choose({"KUBECONFIG": "/production"}, no_engine_runs) is Provider.NATIVE


@pytest.mark.parametrize("told", [Provider.KIND, Provider.NATIVE])
def test_what_is_told_isn_t_found_out(told: Provider) -> None:
    assert choose({"SERINUS_CLUSTER_PROVIDER": told}, nobody_may_ask) is told


def test_a_provider_that_doesn_t_exist_is_refused_by_name() -> None:
    with pytest.raises(ClusterError, match="SERINUS_CLUSTER_PROVIDER: `k3d` is neither"):
        choose({"SERINUS_CLUSTER_PROVIDER": "k3d"}, engine_runs)


@pytest.mark.parametrize(("annotation", "expected"), [("true", True), ("false", False)])
def test_a_default_storage_class_says_so(annotation: str, expected: bool) -> None:
    key = "storageclass.kubernetes.io/is-default-class"

    assert is_default({"metadata": {"annotations": {key: annotation}}}) is expected
    assert not is_default({"metadata": {}})


def test_a_cluster_of_somebody_else_gets_a_gateway_s_image_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERINUS_KUBECONFIG", "/somewhere")
    monkeypatch.delenv("SERINUS_GATEWAY_IMAGE", raising=False)
    with pytest.raises(ClusterError, match="Traefik that the cluster can pull"):
        gateway()

    monkeypatch.setenv("SERINUS_GATEWAY_IMAGE", "example.org/traefik:v3")
    assert gateway() == "example.org/traefik:v3"
