"""What the operator writes for the pods is what the server reads, where they mount it."""

from serinus.api.ab_test_document import (
    DOCUMENT_KEY,
    MOUNT_PATH,
    AbTestDocument,
    UnitSource,
    parsed_document,
)
from serinus.api.server import Server
from serinus.manifests.ab_test import make_ab_test_map
from serinus.manifests.settings import Settings
from serinus.manifests.workload import ServingRevision, make_server_pod_template
from serinus_runtime.server.settings import settings_from_environment

DOCUMENT = AbTestDocument(
    test="0123456789",
    stable="00000000aa",
    canary="00000000bb",
    active_from=1_700_000_120.0,
    unit=UnitSource(cookie="session"),
    canary_percent=20,
    salt="flights/delay",
)


def template() -> dict[str, object]:
    serving = ServingRevision(
        deployment="delay",
        namespace="flights",
        revision="00000000aa",
        model_uri="file:///store/models/delay/v1",
        model_digest="sha256:0",
        image="server:1",
        server=Server(),
    )
    return make_server_pod_template(serving, Settings("jobs:1", "server:1"))


def test_pods_mount_the_map_if_it_is_there_where_the_server_looks_for_it() -> None:
    made = make_ab_test_map("delay", "flights", DOCUMENT)
    spec = template()["spec"]
    assert isinstance(spec, dict)
    (volume,) = [one for one in spec["volumes"] if one["name"] == "ab-test"]
    (container,) = spec["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "ab-test"]
    told = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    settings = settings_from_environment(told)

    assert volume["configMap"]["name"] == made["metadata"]["name"] == "delay-ab-test"
    assert volume["configMap"]["optional"] is True
    assert (mount["mountPath"], mount["readOnly"]) == (MOUNT_PATH, True)
    assert str(settings.ab_test_file) == f"{MOUNT_PATH}/{DOCUMENT_KEY}"
    assert settings.ab_test == "delay-ab-test-pods"
    assert parsed_document(made["data"][DOCUMENT_KEY]) == DOCUMENT
