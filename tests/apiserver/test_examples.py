"""The examples as the API server takes them."""

from pathlib import Path

import pytest
import yaml

from serinus.api.enums import PLURALS, Kind
from tests.support.api_server import ApiServer
from tests.support.examples import EXAMPLES, POD_BESIDE_THE_STORE


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_an_example_is_taken(api_server: ApiServer, namespace: str, path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    plural = PLURALS[Kind(document["kind"])]
    folder = f"/apis/{document['apiVersion']}/namespaces/{namespace}/{plural}"

    answer = api_server.post(folder, document, dry_run=True)

    assert answer.accepted, answer.message


def test_the_pod_beside_the_store_is_let_in_where_pods_are_restricted(
    api_server: ApiServer, namespace: str
) -> None:
    enforced = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    assert api_server.patch(f"/api/v1/namespaces/{namespace}", {"metadata": enforced}).accepted
    pod = yaml.safe_load(POD_BESIDE_THE_STORE.read_text())

    answer = api_server.post(f"/api/v1/namespaces/{namespace}/pods", pod, dry_run=True)

    assert answer.accepted, answer.message
