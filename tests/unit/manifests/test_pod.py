"""The pod that all others start from."""

import pytest

from serinus.api.pod_settings import PodTemplate, ResourceRequirements
from serinus.manifests.pod import (
    PodParts,
    StoreMount,
    denied_entries,
    make_container,
    make_pod_template,
    with_disk_limit,
)
from serinus.manifests.settings import StoreSettings


def container(**more: object) -> dict[str, object]:
    return make_container(
        "work", image="serinus-jobs:1", image_pull_policy="Never", command=("true",), **more
    )


def template(user: dict[str, object] | None = None, **more: object) -> dict[str, dict[str, object]]:
    additions = PodTemplate.model_validate(user) if user else None
    parts = PodParts(
        labels={"serinus.dev/run": "r-1"}, containers=(container(),), additions=additions, **more
    )
    return make_pod_template(parts)


def test_a_pod_meets_the_restricted_pod_security_standard() -> None:
    pod, main = template()["spec"], container()

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert main["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_a_pod_holds_no_kubernetes_credentials_and_knows_no_neighbours() -> None:
    pod = template()["spec"]

    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_placement_and_pull_secrets_are_the_users() -> None:
    user = {
        "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
        "spec": {
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "priorityClassName": "low",
            "imagePullSecrets": [{"name": "pull"}],
        },
    }

    made = template(user)

    assert made["metadata"]["labels"] == {"team": "a", "serinus.dev/run": "r-1"}
    assert made["metadata"]["annotations"] == {"note": "b"}
    assert made["spec"]["nodeSelector"] == {"disk": "fast"}
    assert made["spec"]["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert made["spec"]["priorityClassName"] == "low"
    assert made["spec"]["imagePullSecrets"] == [{"name": "pull"}]


def test_the_platform_s_pull_secrets_come_first_and_each_is_named_once() -> None:
    user = {"spec": {"imagePullSecrets": [{"name": "mine"}, {"name": "registry-key"}]}}

    made = template(user, image_pull_secrets=("registry-key", "mirror-key"))

    assert made["spec"]["imagePullSecrets"] == [
        {"name": "registry-key"},
        {"name": "mirror-key"},
        {"name": "mine"},
    ]


@pytest.mark.parametrize(
    "key",
    [
        "app.kubernetes.io/instance",
        "argocd.argoproj.io/instance",
        "helm.toolkit.fluxcd.io/name",
        "kustomize.toolkit.fluxcd.io/name",
        "serinus.dev/revision",
        "serinus.dev/run",
        "pod-template-hash",
    ],
)
def test_labels_of_others_are_left_out_and_named(key: str) -> None:
    user = {"metadata": {"labels": {key: "mine", "team": "a"}}}

    made = template(user)

    assert made["metadata"]["labels"] == {"team": "a", "serinus.dev/run": "r-1"}
    assert denied_entries(PodTemplate.model_validate(user)) == (key,)


def test_a_store_for_one_node_keeps_its_pods_together_beside_the_users_affinity() -> None:
    user = {"spec": {"affinity": {"nodeAffinity": {"kept": True}}}}

    pod = template(user, store=StoreMount(StoreSettings(), read_only=True))

    affinity = pod["spec"]["affinity"]
    (term,) = affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert affinity["nodeAffinity"] == {"kept": True}
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_a_shared_store_leaves_placement_alone() -> None:
    shared = StoreSettings(access_mode="ReadWriteMany")

    pod = template(store=StoreMount(shared, read_only=True))

    assert "affinity" not in pod["spec"]


def test_only_scratch_and_a_store_mounted_for_writing_can_be_written() -> None:
    reads = container(store=StoreMount(StoreSettings(), read_only=True))
    writes = container(store=StoreMount(StoreSettings(), read_only=False))

    assert {"name": "store", "mountPath": "/store", "readOnly": True} in reads["volumeMounts"]
    assert {"name": "store", "mountPath": "/store"} in writes["volumeMounts"]
    assert {"name": "scratch", "mountPath": "/tmp"} in reads["volumeMounts"]


def test_a_home_of_the_users_is_the_only_one() -> None:
    given = ({"name": "HOME", "value": "/elsewhere"},)

    assert container(env=given)["env"] == list(given)
    assert container()["env"] == [{"name": "HOME", "value": "/tmp"}]


def test_resources_are_as_given() -> None:
    given = ResourceRequirements(requests={"cpu": "500m"}, limits={"memory": "1Gi"})

    assert container(resources=given)["resources"] == {
        "requests": {"cpu": "500m"},
        "limits": {"memory": "1Gi"},
    }
    assert container()["resources"] == {}


DISK_CASES = [
    ("nobody says", {}, {}, ("64Mi", "10Gi")),
    ("a limit of the user's", {}, {"ephemeral-storage": "50Gi"}, ("64Mi", "50Gi")),
    ("a small limit", {}, {"ephemeral-storage": "32Mi"}, ("32Mi", "32Mi")),
    ("a request below the default", {"ephemeral-storage": "1Gi"}, {}, ("1Gi", "10Gi")),
    ("a request above the default", {"ephemeral-storage": "20Gi"}, {}, ("20Gi", "20Gi")),
]


@pytest.mark.parametrize(
    ("requests", "limits", "disk"),
    [case[1:] for case in DISK_CASES],
    ids=[case[0] for case in DISK_CASES],
)
def test_disk_is_always_bounded_and_little_is_set_aside(
    requests: dict[str, str], limits: dict[str, str], disk: tuple[str, str]
) -> None:
    given = ResourceRequirements(
        requests={"cpu": "1", **requests}, limits={"memory": "1Gi", **limits}
    )

    bounded = with_disk_limit(given, "10Gi")

    assert (bounded.requests["ephemeral-storage"], bounded.limits["ephemeral-storage"]) == disk
    assert (bounded.requests["cpu"], bounded.limits["memory"]) == ("1", "1Gi")


def test_disk_is_bounded_where_no_resources_are_given_and_where_all_are() -> None:
    eight = {f"example.com/device-{number}": "1" for number in range(8)}

    assert with_disk_limit(None, "1Gi").limits == {"ephemeral-storage": "1Gi"}
    assert len(with_disk_limit(ResourceRequirements(limits=eight), "1Gi").limits) == 9


def test_scratch_is_as_large_as_what_the_container_may_write() -> None:
    limited = container(resources=with_disk_limit(None, "3Gi"))
    bounded = make_pod_template(PodParts(labels={}, containers=(limited,)))["spec"]

    assert {"name": "scratch", "emptyDir": {"sizeLimit": "3Gi"}} in bounded["volumes"]
    assert {"name": "scratch", "emptyDir": {}} in template()["spec"]["volumes"]
