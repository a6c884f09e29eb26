"""What a run's pod is told survives the way through a ConfigMap."""

from serinus.api.enums import Kind
from serinus.api.featureset import FeatureSetSpec
from serinus.api.job_contract import RUN_INPUT, FeatureSetRunInput
from serinus.manifests.run_input import RUN_INPUT_KEY, make_run_input
from tests.support.run_world import DIGEST_A, FEATURE_SET_SPEC

INPUT = FeatureSetRunInput(
    run="flights-snapshot-3",
    identity="0" * 64,
    namespace="aviation",
    feature_set="flights",
    spec=FeatureSetSpec.model_validate(FEATURE_SET_SPEC),
    keep_digests=[DIGEST_A],
)


def test_it_bears_the_run_s_name_and_the_labels_of_its_owner() -> None:
    metadata = make_run_input(Kind.FEATURE_SET, "flights", INPUT)["metadata"]

    assert metadata == {
        "name": "flights-snapshot-3",
        "namespace": "aviation",
        "labels": {
            "app.kubernetes.io/managed-by": "serinus",
            "serinus.dev/featureset": "flights",
            "serinus.dev/run": "flights-snapshot-3",
        },
    }


def test_what_is_read_is_what_was_written() -> None:
    body = make_run_input(Kind.FEATURE_SET, "flights", INPUT)

    assert RUN_INPUT.validate_json(body["data"][RUN_INPUT_KEY]) == INPUT
