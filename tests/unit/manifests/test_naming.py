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
    assert len(naming.feedback_service_name(LONGEST)) <= LABEL_MAX_LENGTH


def test_children_carry_no_label_that_delivery_tools_take_for_theirs() -> None:
    labels = naming.owner_labels(Kind.TRAINING_JOB, "delay")

    assert labels == {
        "app.kubernetes.io/managed-by": "serinus",
        "serinus.dev/trainingjob": "delay",
    }


def test_the_name_of_a_trained_version_says_what_it_is_made_of() -> None:
    assert naming.trained_version_parts(naming.trained_version_name("a-2", 17)) == ("a-2", 17)
    assert naming.trained_version_parts("champion") is None
    assert naming.trained_version_parts("delay-0") is None
    assert naming.trained_version_parts("-1") is None
