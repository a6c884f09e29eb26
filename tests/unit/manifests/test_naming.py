"""Names fit where Kubernetes puts them."""

from serinus.api.enums import Kind
from serinus.manifests import naming

LONGEST = "d" * naming.NAME_MAX_LENGTH
LABEL_MAX_LENGTH = 63


def test_every_name_made_from_the_longest_owner_is_a_label_value() -> None:
    made = [
        naming.snapshot_run_name(LONGEST, 99_999),
        naming.training_run_name(LONGEST, 99_999),
        naming.trained_version_name(LONGEST, 99_999),
        naming.verification_run_name(naming.trained_version_name(LONGEST, 99_999)),
        naming.revision_object_name(LONGEST, "0123456789"),
        naming.service_name(LONGEST),
        naming.feedback_secret_name(LONGEST),
    ]

    assert [name for name in made if len(name) > LABEL_MAX_LENGTH] == []
    assert len(set(made)) == len(made)


def test_children_carry_no_label_that_delivery_tools_take_for_theirs() -> None:
    labels = naming.owner_labels(Kind.TRAINING_JOB, "delay")

    assert labels == {
        "app.kubernetes.io/managed-by": "serinus",
        "serinus.dev/trainingjob": "delay",
    }
