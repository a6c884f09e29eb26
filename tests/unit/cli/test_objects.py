from serinus.api.enums import Kind
from serinus.cli import objects
from serinus.cli.reading import pods_of, resource_of, resources_of
from serinus.manifests import naming
from tests.support.command_line import IN_CANARY, STABLE, deployment, feature_set, pod


def test_labels_are_those_that_the_operator_gives() -> None:
    assert objects.OWNER_LABELS == naming.OWNER_LABELS
    assert objects.REVISION_LABEL == naming.REVISION_LABEL
    assert f"{naming.MANAGED_BY_LABEL}={naming.MANAGED_BY}" == objects.MANAGED_BY_SELECTOR


def test_deployments_of_apps_are_not_ours() -> None:
    foreign = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}

    assert [one.kind for one in resources_of([foreign, feature_set()])] == [Kind.FEATURE_SET]


def test_an_object_that_nobody_has_seen_yet_can_be_read() -> None:
    for body in (feature_set(), deployment(IN_CANARY)):
        del body["status"]

        assert resource_of(body).phase == ""


def test_a_pod_says_why_its_container_does_not_start() -> None:
    body = pod(STABLE, 0, ready=False)
    body["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ImagePullBackOff"}}

    assert pods_of([body])[0].problem == "ImagePullBackOff"


def test_a_pod_that_is_being_made_has_no_problem() -> None:
    body = pod(STABLE, 0, ready=False)
    body["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ContainerCreating"}}

    assert pods_of([body])[0].problem == ""


def test_a_pod_that_is_deleted_is_terminating() -> None:
    body = pod(STABLE, 0)
    body["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"

    assert pods_of([body])[0].phase == "Terminating"
