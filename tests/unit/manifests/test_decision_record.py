import pytest

from serinus.api.deployment_status import PendingRecord
from serinus.api.record_contract import record_name
from serinus.cluster.resources import CHILDREN
from serinus.manifests.decision_record import make_decision_record
from serinus.manifests.naming import NAME_MAX_LENGTH
from tests.support.fake_kube import is_selected

RECORD = PendingRecord(number=7, action="rollback", revision="0badc0ffee", decision='{"layout":1}')


def test_a_record_is_immutable_belongs_to_nobody_and_is_found_by_labels() -> None:
    assert make_decision_record("flight-delay", "flights", RECORD) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "flight-delay-record-7",
            "namespace": "flights",
            "labels": {
                "app.kubernetes.io/part-of": "serinus",
                "serinus.dev/record-of": "flight-delay",
                "serinus.dev/record": "7",
                "serinus.dev/record-action": "rollback",
                "serinus.dev/revision": "0badc0ffee",
            },
        },
        "immutable": True,
        "data": {"decision.json": '{"layout":1}'},
    }


def test_what_is_about_no_revision_has_no_label_of_one() -> None:
    record = RECORD.model_copy(update={"revision": ""})

    labels = make_decision_record("flight-delay", "flights", record)["metadata"]["labels"]

    assert "serinus.dev/revision" not in labels


@pytest.mark.parametrize("resource", CHILDREN, ids=lambda one: one.plural)
def test_the_operator_watches_no_record(resource) -> None:
    body = make_decision_record("flight-delay", "flights", RECORD)

    assert not is_selected(resource, body)


def test_the_longest_name_leaves_room_for_more_records_than_there_will_be() -> None:
    assert len(record_name("x" * NAME_MAX_LENGTH, 10**9)) <= 63
