"""Whatever people edit in the middle of a release: caps hold, harm isn't promoted, stable serves.

Where `test_deployment_laws` plays verbs, deaths and damage, this plays changes of the spec and of
what is around it: rules, ways to release, autoscaler, quota, nodes, hooks, an older operator.
"""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from serinus.api.hooks import HookAnswer
from tests.support.autoscaler import by_cpu
from tests.support.deployment_world import (
    QUICK_ANALYSIS,
    Behaviour,
    World,
    a_world,
    model_version,
)

VERSIONS = ("v1", "v2", "v3", "bad")
GATEWAY = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}
ANALYZED = [{"setWeight": 10}, {"analyze": {}}, {"setWeight": 20}, {"analyze": {}}]
HOOK = {"type": "confirm-promotion", "name": "board"}
STRATEGIES: tuple[dict[str, Any], ...] = (
    {"canary": {"steps": ANALYZED}},
    {"canary": {"steps": ANALYZED, "maxWeight": 34}},
    {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}, {"analyze": {}}], "maxWeight": 25}},
    {"canary": {"steps": [{"setWeight": 50}, {"analyze": {}}]}, "hooks": [HOOK]},
    {"canary": {"steps": [{"shadow": {"minSamples": 20}}, {"setWeight": 40}, {"analyze": {}}]}},
    {"blueGreen": {"scaleDownDelaySeconds": 20, "prePromotionAnalysis": {"minSamples": 20}}},
    {"canary": {"steps": ANALYZED}, "postPromotionAnalysis": {"duration": "60s"}},
    {"abTest": {"unit": {"header": "X-User-Id"}, "canaryPercent": 30, "minSamples": 20}},
)
COLD = {**QUICK_ANALYSIS, "warmup": "10s"}
STRICT = {**COLD, "metrics": [{**QUICK_ANALYSIS["metrics"][0], "max": "0.05"}]}
TEMPLATE = {"name": "queue", "templateRef": {"name": "queue"}, "max": "1"}
ANALYSES = (QUICK_ANALYSIS, COLD, STRICT, {**COLD, "metrics": [TEMPLATE]})
PAUSES = st.integers(0, 40)


class EditMachine(RuleBasedStateMachine):
    """A release among people who edit, on a cluster that isn't still."""

    @initialize(
        replicas=st.integers(1, 9),
        strategy=st.sampled_from(STRATEGIES),
        gateway=st.booleans(),
        lag_seconds=st.integers(1, 12),
        all_good=st.booleans(),
    )
    def begin(
        self,
        replicas: int,
        strategy: dict[str, Any],
        gateway: bool,
        lag_seconds: int,
        all_good: bool,
    ) -> None:
        traffic = {"traffic": GATEWAY} if gateway else {}
        no_steps: dict[str, Any] = {"canary": {"steps": []}}
        self.world: World = a_world(
            replicas=replicas, strategy=no_steps, progressDeadlineSeconds=60, **traffic
        )
        self.world.versions = {name: model_version(name) for name in VERSIONS}
        cold = {"cold_seconds": 8, "cold_error_percent": 50}
        self.all_good = all_good
        if not all_good:
            self.world.behaviours = {name: Behaviour(**cold) for name in VERSIONS}
            self.world.behaviours["bad"] = Behaviour(error_percent=40)
        self.world.hooks = {"board": HookAnswer.YES}
        self.world.requests_per_second = 40
        self.world.gateway_lag_seconds = lag_seconds
        self.disturbed = False
        self.time_goes_by(30)
        assert self.world.phase == "Healthy", self.world.told()
        self.world.clients_use_gateway = gateway
        self.world.unanswered = 0
        self.world.applies(strategy=strategy)
        self.world.serves_version("v2")
        self.time_goes_by(20)

    @rule(seconds=st.integers(1, 40))
    def time_goes_by(self, seconds: int) -> None:
        for _ in range(seconds):
            served = bool(self.world.selected_pods()) and bool(self._wanted_pods())
            stable = self.world.stable_revision
            self.world.ticks()
            if served and self._wanted_pods() and self.world.stable_revision and stable:
                assert self.world.selected_pods() or self.disturbed, self.world.told()
            self.laws_hold()

    @rule(version=st.sampled_from(VERSIONS), seconds=PAUSES)
    def person_asks_for(self, version: str, seconds: int) -> None:
        self.world.serves_version(version)
        self.time_goes_by(seconds)

    @rule(replicas=st.integers(0, 9), seconds=PAUSES)
    def person_asks_for_replicas(self, replicas: int, seconds: int) -> None:
        self.world.spec.pop("autoscaling", None)
        self.disturbed |= not replicas
        self.world.applies(replicas=replicas)
        self.time_goes_by(seconds)

    @rule(low=st.integers(1, 4), more=st.integers(0, 6), seconds=PAUSES)
    def person_asks_for_an_autoscaler(self, low: int, more: int, seconds: int) -> None:
        self.world.spec.pop("replicas", None)
        self.world.applies(autoscaling=by_cpu(low, low + more))
        self.time_goes_by(seconds)

    @rule(load=st.integers(10, 200), seconds=PAUSES)
    def load_changes(self, load: int, seconds: int) -> None:
        self.world.requests_per_second = load
        self.time_goes_by(seconds)

    @rule(strategy=st.sampled_from(STRATEGIES), seconds=PAUSES)
    def person_edits_the_strategy(self, strategy: dict[str, Any], seconds: int) -> None:
        self.world.applies(strategy=strategy)
        self.time_goes_by(seconds)

    @rule(analysis=st.sampled_from(ANALYSES), seconds=PAUSES)
    def person_edits_the_analysis(self, analysis: dict[str, Any], seconds: int) -> None:
        self.world.applies(analysis=analysis)
        self.time_goes_by(seconds)

    @rule(window=st.sampled_from([None, {"revisions": 2}]), seconds=PAUSES)
    def person_edits_the_window(self, window: dict[str, int] | None, seconds: int) -> None:
        self.world.spec.pop("rollbackWindow", None)
        self.world.applies(**({"rollbackWindow": window} if window else {}))
        self.time_goes_by(seconds)

    @rule(verb=st.sampled_from(["abort", "retry", "pause", "resume"]), seconds=PAUSES)
    def person_says(self, verb: str, seconds: int) -> None:
        self.world.says(verb, nonce=f"{verb}-{len(self.world.writes)}-{self.world.generation}")
        self.time_goes_by(seconds)

    @rule(suspend=st.booleans(), seconds=PAUSES)
    def person_suspends(self, suspend: bool, seconds: int) -> None:
        self.world.applies(suspend=suspend)
        self.time_goes_by(seconds)

    @rule(declared=st.booleans(), seconds=PAUSES)
    def hook_is_declared(self, declared: bool, seconds: int) -> None:
        self.world.hooks = {"board": HookAnswer.YES} if declared else {}
        self.world.dirty = True
        self.time_goes_by(seconds)

    @rule(quota=st.none() | st.integers(2, 12), seconds=PAUSES)
    def quota_changes(self, quota: int | None, seconds: int) -> None:
        self.world.pods_quota = quota
        self.world.dirty = True
        self.time_goes_by(seconds)

    @rule(of_stable=st.booleans(), number=st.integers(1, 2), seconds=PAUSES)
    def node_is_lost(self, of_stable: bool, number: int, seconds: int) -> None:
        self.disturbed = True
        world = self.world
        world.loses_pods(
            world.stable_revision if of_stable else world.canary_revision, number=number
        )
        self.time_goes_by(seconds)

    @rule(version=st.sampled_from(VERSIONS), there=st.booleans(), seconds=PAUSES)
    def model_comes_or_goes(self, version: str, there: bool, seconds: int) -> None:
        self.world.versions.pop(version, None)
        if there:
            self.world.versions[version] = model_version(version)
        self.world.dirty = True
        self.time_goes_by(seconds)

    @rule(bearer=st.sampled_from(VERSIONS), second=st.sampled_from(VERSIONS), pause=PAUSES)
    def channel_moves_twice(self, bearer: str, second: str, pause: int) -> None:
        self.world.applies(model={"channel": {"modelName": "delay", "alias": "champion"}})
        for one in (bearer, second):
            for version in self.world.versions:
                aliases = ["champion"] if version == one else []
                self.world.versions[version] = model_version(version, aliases=aliases)
            self.world.dirty = True
            self.time_goes_by(pause)

    @precondition(lambda self: self.world.status.get("analysis"))
    @rule()
    def operator_is_older_for_a_while(self) -> None:
        """What it writes lacks what this one keeps of cold pods."""
        for one in self.world.status["analysis"]:
            if (one.get("state") or "").startswith("1["):
                one["state"] = "1" + json.dumps(json.loads(one["state"][1:])[:9])
        self.world.dirty = True
        self.time_goes_by(1)

    @invariant()
    def laws_hold(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        assert len({pod.revision for pod in world.selected_pods()}) <= 2
        for one in world.status.get("history", ()):
            harmful = one["modelVersion"] == "bad" and not self.all_good
            by_evidence = (one["action"], one["reason"]) == ("promote", "Promoted")
            assert not (harmful and by_evidence), one
        if self.all_good:
            assert "EvidenceOfHarm" not in world.reasons()
            if not self.disturbed and world.pods_quota is None:
                assert world.unanswered == 0, world.told()
        if not world.dirty:
            self._cap_holds()

    def _cap_holds(self) -> None:
        """By what is asked for: how many of the pods are ready is chance."""
        world, canary = self.world, self.world.canary
        cap = ((canary or {}).get("rules") or {}).get("maxWeight")
        if not canary or not cap or not self._wanted_pods() or "traffic" in world.spec:
            return
        if canary.get("promoting") or canary.get("shadow") or canary.get("withdrawn"):
            return
        asked = {one: body["spec"]["replicas"] for one, body in world.workloads().items()}
        mine, stable = asked.get(canary["revision"], 0), asked.get(world.stable_revision or "", 0)
        if stable:
            assert 100 * mine <= cap * (mine + stable), (asked, world.told())

    def _wanted_pods(self) -> int:
        spec = self.world.spec
        return 1 if "autoscaling" in spec else int(spec["replicas"])

    def teardown(self) -> None:
        """Left alone, it comes to rest, or says why it holds."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.pods_quota = None
        world.hooks = {"board": HookAnswer.YES}
        world.versions = {name: model_version(name) for name in VERSIONS}
        world.applies(suspend=False)
        for _ in range(150):
            world.ticks()
            self.laws_hold()
        assert world.phase in ("Healthy", "Paused", "Degraded", "Progressing"), world.told()
        assert world.phase == "Healthy" or world.status["message"], world.told()


EditMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestEditLaws = pytest.mark.timeout(600)(EditMachine.TestCase)
