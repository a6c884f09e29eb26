"""`/feedback` at its border: bodies that are too large, and a server that fails."""

from typing import Any

from serinus_runtime.server.feedback_requests import BODY_BYTES_MAX
from tests.support.flight_requests import ROW
from tests.support.model_servers import Client


def identity_of(client: Client) -> str:
    return str(client.post("/predict", {"rows": [ROW]}).json()["id"])


def test_a_body_larger_than_any_labels_is_413(client: Client) -> None:
    labels = {"id": identity_of(client), "labels": [True], "comment": "x" * BODY_BYTES_MAX}

    answer = client.post("/feedback", labels)

    assert answer.status_code == 413
    assert answer.json()["error"].startswith("the body is over the limit of 65536 bytes")


class Broken:
    """A ledger that fails."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(name)


def test_a_ledger_that_fails_is_500_as_json_without_details(client: Client) -> None:
    identity = identity_of(client)

    answer = client.changed(ledger=Broken()).post("/feedback", {"id": identity, "labels": [True]})

    assert answer.status_code == 500
    assert answer.json() == {
        "error": "the server failed on this request; its log has the traceback"
    }
