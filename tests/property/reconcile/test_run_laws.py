"""Laws of the kinds that work through runs, whatever users, pods and operators do."""

from collections import Counter
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serinus.api.enums import Outcome, Verb
from serinus.api.featureset import FeatureSetStatus
from serinus.api.modelversion import ModelVersionStatus
from serinus.api.trainingjob import TrainingJobStatus
from tests.support.run_world import (
    DIGEST_A,
    DIGEST_B,
    DIGEST_C,
    RunWorld,
    a_feature_set,
    a_model_version,
    a_training_job,
    model_result,
    snapshot_result,
    with_snapshot,
)

ENDINGS = [
    ("Complete", {"exitCode": 0, "message": "not a result"}),
    ("Failed", {"exitCode": 137, "reason": "OOMKilled"}),
    ("Failed", {"exitCode": 1, "reason": "Error", "message": "x" * 5000}),
]
WAITING = [
    {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
    {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
    {"phase": "Running"},
]


class Runs(RuleBasedStateMachine):
    """What users, pods and a restarted operator may do to any of the three kinds."""

    world: RunWorld
    result: dict[str, Any]

    @rule()
    def the_operator_works(self) -> None:
        self.world.passes()

    @rule()
    def the_operator_dies_once_the_status_is_written(self) -> None:
        decision = self.world.decide()
        if decision.status is not None:
            self.world.resource["status"] = dict(decision.status)

    @rule(outcome=st.sampled_from(Outcome), message=st.text(max_size=2000))
    def a_run_ends(self, outcome: Outcome, message: str) -> None:
        for name in self.world.jobs:
            more = {} if outcome is Outcome.FAILED else self.result
            self.world.run_ends(name, outcome, message=message, **more)

    @rule(ending=st.sampled_from(ENDINGS))
    def a_run_breaks(self, ending: tuple[str, dict[str, Any]]) -> None:
        condition, terminated = ending
        for name in self.world.jobs:
            state = [{"state": {"terminated": terminated}}]
            phase = "Failed" if terminated["exitCode"] else "Succeeded"
            self.world.pod(name, phase=phase, containerStatuses=state).job_ends(name, condition)

    @rule(status=st.sampled_from(WAITING))
    def a_pod_waits(self, status: dict[str, Any]) -> None:
        for name in self.world.jobs:
            self.world.pod(name, **status)

    @rule()
    def pods_are_deleted(self) -> None:
        self.world.delete_pods()

    @rule()
    def jobs_are_deleted(self) -> None:
        for name in self.world.jobs:
            self.world.delete("Job", name)

    @rule(seconds=st.integers(1, 10_000), verb=st.sampled_from(Verb))
    def a_person_asks(self, seconds: int, verb: Verb) -> None:
        self.world.later(seconds=seconds).ask(verb, nonce=f"{self.world.now}")

    @rule()
    def the_spec_changes_in_words_only(self) -> None:
        self.world.edit(description=str(self.world.resource["metadata"]["generation"]))

    @rule()
    def it_is_deleted_and_applied_again(self) -> None:
        self.world.later(seconds=1).apply_again()

    @rule()
    def the_status_is_lost(self) -> None:
        self.world.later(seconds=1).resource.pop("status", None)

    @invariant()
    def a_second_pass_writes_nothing(self) -> None:
        self.world.passes()
        written = len(self.world.writes)
        self.world.passes(at_most=1)

        assert len(self.world.writes) == written

    @invariant()
    def there_is_at_most_one_job_that_works(self) -> None:
        working = [name for name in self.world.jobs if "status" not in self.world.job(name)]

        assert len(working) <= 1

    @invariant()
    def a_stored_result_never_lets_its_job_stay_for_ever(self) -> None:
        run = self.world.status.get("lastRun") or self.world.status.get("verification") or {}
        settled = run.get("outcome") and self.world.condition("Reconciling")[0] == "False"
        if settled and run["name"] in self.world.jobs:
            assert "ttlSecondsAfterFinished" in self.world.job(run["name"])["spec"]

    @invariant()
    def the_status_is_what_the_schema_allows(self) -> None:
        model = {
            "FeatureSet": FeatureSetStatus,
            "TrainingJob": TrainingJobStatus,
            "ModelVersion": ModelVersionStatus,
        }[self.world.resource["kind"]]
        status = model.model_validate(self.world.status)

        assert len(status.message or "") <= 1024

    @invariant()
    def it_is_never_reconciling_and_stalled_at_once(self) -> None:
        types = Counter(one["type"] for one in self.world.status["conditions"])

        assert types["Reconciling"] + types["Stalled"] <= 1
        assert max(types.values()) == 1


class FeatureSets(Runs):
    def __init__(self) -> None:
        super().__init__()
        self.world, self.result = a_feature_set(), snapshot_result(DIGEST_A)

    @rule(digest=st.sampled_from([DIGEST_A, DIGEST_B, DIGEST_C]))
    def the_data_changes(self, digest: str) -> None:
        self.result = snapshot_result(digest)

    @rule(rows=st.integers(1, 3))
    def the_spec_changes(self, rows: int) -> None:
        self.world.edit(validation={"minRows": rows})

    @invariant()
    def it_is_ready_as_long_as_there_is_a_snapshot(self) -> None:
        ready = self.world.condition("Ready")[0] == "True"

        assert ready == ("latestSnapshot" in self.world.status)


class TrainingJobs(Runs):
    def __init__(self) -> None:
        super().__init__()
        self.world, self.result = a_training_job(), model_result()

    @rule(digest=st.sampled_from([DIGEST_A, DIGEST_B]))
    def a_snapshot_is_made(self, digest: str) -> None:
        with_snapshot(self.world, digest)

    @rule(seed=st.integers(0, 2))
    def the_spec_changes(self, seed: int) -> None:
        self.world.edit(seed=seed)

    @invariant()
    def a_version_says_which_run_it_came_from(self) -> None:
        for name, version in self.world.model_versions.items():
            number = name.rpartition("-")[2]

            assert version["spec"]["source"]["run"] == f"delay-train-{number}"

    @precondition(lambda self: self.world.model_versions)
    @rule()
    def applied_again_it_trains_nothing_that_there_is(self) -> None:
        world = self.world
        last = world.status.get("lastRun", {})
        if not last.get("modelVersionRef") or world.condition("Reconciling")[0] == "True":
            return
        if last["modelVersionRef"]["name"] not in world.model_versions:
            return
        before = len(world.created_jobs())
        world.apply_again().passes()

        assert len(world.created_jobs()) == before


class ModelVersions(Runs):
    def __init__(self) -> None:
        super().__init__()
        self.world = a_model_version(approval={"required": True})
        self.result = {"predictor": {"kind": "linear", "verifiedRows": 1, "mismatches": 0}}

    @invariant()
    def it_is_ready_only_when_it_is_verified_and_approved(self) -> None:
        if self.world.condition("Ready")[0] == "True":
            assert self.world.condition("ArtifactVerified")[0] == "True"
            assert self.world.status["approvedBy"] == "maria"


RUN_SETTINGS = settings(max_examples=60, stateful_step_count=25)
FeatureSets.TestCase.settings = RUN_SETTINGS
TrainingJobs.TestCase.settings = RUN_SETTINGS
ModelVersions.TestCase.settings = RUN_SETTINGS
TestFeatureSets = FeatureSets.TestCase
TestTrainingJobs = TrainingJobs.TestCase
TestModelVersions = ModelVersions.TestCase

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = st.sampled_from(
    ["features", "sources", "featureSetRefs", "trainer", "digest", "label", "approval", "suspend"]
)


@given(spec=st.dictionaries(fields, json_values), status=st.none() | json_values)
def test_no_object_is_so_odd_that_it_ends_the_operator(spec: Any, status: Any) -> None:
    for world in (a_feature_set(**spec), a_training_job(**spec), a_model_version(**spec)):
        if status is not None:
            world.resource["status"] = status

        assert world.decide().status is not None
