"""Whatever people, pods, Prometheus and crashes do in whatever order: these laws hold."""

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serinus.api.conditions import format_time
from serinus.api.hooks import HookAnswer
from tests.support.deployment_world import (
    QUICK_ANALYSIS,
    Behaviour,
    World,
    a_world,
    model_version,
)

VERSIONS = ("v1", "v2", "v3", "bad", "broken")
STRATEGIES = (
    {"canary": {"steps": [{"setWeight": 20}, {"analyze": {}}, {"setWeight": 50}, {"analyze": {}}]}},
    {"canary": {"steps": [{"setWeight": 10}, {"pause": {"duration": "20s"}}, {"setWeight": 40}]}},
    {"canary": {"steps": [{"setWeight": 30}, {"pause": {}}, {"analyze": {"minSamples": 500}}]}},
    {"canary": {"steps": []}},
    {"canary": {"steps": [{"shadow": {"minSamples": 20}}, {"setWeight": 40}, {"analyze": {}}]}},
    {"abTest": {"unit": {"header": "X-User-Id"}, "canaryPercent": 30, "minSamples": 20}},
    {"blueGreen": {"previewReplicas": 1, "scaleDownDelaySeconds": 20}},
    {"blueGreen": {"autoPromotionEnabled": False}},
    {"blueGreen": {"prePromotionAnalysis": {"minSamples": 20}}},
    {
        "canary": {"steps": [{"setWeight": 50}, {"analyze": {}}]},
        "postPromotionAnalysis": {"duration": "60s"},
    },
    {"blueGreen": {}, "postPromotionAnalysis": {"duration": "60s", "keptReplicas": 2}},
    {"canary": {"steps": [{"setWeight": 30}]}, "firstDeployment": {"duration": "60s"}},
    {
        "canary": {"steps": [{"setWeight": 30}]},
        "promotionWindows": [{"start": "22:14", "end": "22:15"}],  # the world begins at 22:13:20
    },
    {
        "canary": {"steps": [{"setWeight": 30}]},
        "hooks": [
            {"type": "confirm-promotion", "name": "board"},
            {"type": "rollback", "name": "desk"},
        ],
    },
)


ALARM = {"name": "strict", "template": "error-rate", "max": "0.001", "gate": False}
QUEUE = {"name": "queue", "prometheus": {"query": "queue"}, "max": "9", "interval": "10s"}
ANALYSES = (
    QUICK_ANALYSIS,
    {**QUICK_ANALYSIS, "metrics": [*QUICK_ANALYSIS["metrics"], ALARM], "onProviderError": "pause"},
    {**QUICK_ANALYSIS, "metrics": [QUEUE], "onNoData": "rollback"},
    {**QUICK_ANALYSIS, "metrics": []},
    {**QUICK_ANALYSIS, "mode": "pause"},
    {**QUICK_ANALYSIS, "mode": "observe"},
    {**QUICK_ANALYSIS, "metrics": [{**QUICK_ANALYSIS["metrics"][0], "max": "0.05"}]},
)
PAUSES = st.integers(0, 40)
PARTS_OF_STATUS = (
    "all",
    "stable",
    "formerStable",
    "kept",
    "firstCheck",
    "canary",
    "history",
    "conditions",
    "stableFloor",
)
UNREADABLE = (
    {"analysis": {"onDeadline": "a new word"}},
    {"model": {"versionRef": {"name": {"any": "v2"}}}},
    {"replicas": "many"},
    {"server": 7},
)


class DeploymentMachine(RuleBasedStateMachine):
    """A Deployment among people who can't make up their minds."""

    @initialize(
        replicas=st.integers(1, 4),
        strategy=st.sampled_from(STRATEGIES),
        analysis=st.sampled_from(ANALYSES),
    )
    def begin(
        self, replicas: int, strategy: dict[str, object], analysis: dict[str, object]
    ) -> None:
        self.world: World = a_world(
            replicas=replicas, strategy=strategy, analysis=analysis, progressDeadlineSeconds=40
        )
        self.world.scalars = {"queue": 5.0}
        self.world.hooks = {"board": HookAnswer.NO, "desk": HookAnswer.NO}
        self.world.requests_per_second = 40
        self.world.versions = {name: model_version(name) for name in VERSIONS}
        self.world.behaviours = {
            "bad": Behaviour(error_percent=40),
            "broken": Behaviour(starts=False),
        }
        self.unreadable = False
        self.rejected: set[str] = set()
        self.runs_or_ran: set[str | None] = set()
        self.was_stable: str | None = None
        self.was_zero = False
        self.time_goes_by(12)

    @rule(seconds=st.integers(1, 30))
    def time_goes_by(self, seconds: int) -> None:
        for _ in range(seconds):
            before = bool(self.world.selected_pods()) and self._wants_pods()
            was_stable, was_canary = self.world.stable_revision, self.world.canary_revision
            kept = (self.world.status.get("kept") or {}).get("revision")
            self.runs_or_ran |= {was_stable, was_canary, kept} - {None}
            self.was_zero |= self.world.spec["replicas"] == 0
            self.world.ticks()
            self._stable_is_what_was_released()
            self._nobody_lost_the_service(before and was_stable is not None)
            self.laws_hold()

    @rule(version=st.sampled_from(VERSIONS), seconds=PAUSES)
    def person_asks_for(self, version: str, seconds: int) -> None:
        self.world.serves_version(version)
        self.time_goes_by(seconds)

    @rule(replicas=st.integers(0, 5), seconds=PAUSES)
    def person_scales(self, replicas: int, seconds: int) -> None:
        self.world.applies(replicas=replicas)
        self.time_goes_by(seconds)

    @rule(suspend=st.booleans(), seconds=PAUSES)
    def person_suspends(self, suspend: bool, seconds: int) -> None:
        self.world.applies(suspend=suspend)
        self.time_goes_by(seconds)

    @rule(revisions=st.integers(1, 3), seconds=PAUSES)
    def person_sets_the_rollback_window(self, revisions: int, seconds: int) -> None:
        self.world.applies(rollbackWindow={"revisions": revisions})
        self.time_goes_by(seconds)

    @rule(strategy=st.sampled_from(STRATEGIES), seconds=PAUSES)
    def person_edits_the_strategy(self, strategy: dict[str, object], seconds: int) -> None:
        self.world.applies(strategy=strategy)
        self.time_goes_by(seconds)

    @rule(verb=st.sampled_from(["promote", "abort", "retry", "pause", "resume"]), seconds=PAUSES)
    def person_says(self, verb: str, seconds: int) -> None:
        if verb == "retry":
            named = self.world.canary_revision or self.world.status.get("updateRevision", "")
            self.rejected.discard(named)
        self.world.says(verb, nonce=f"{verb}-{len(self.world.writes)}-{self.world.generation}")
        self.time_goes_by(seconds)

    @rule(away=st.booleans(), seconds=PAUSES)
    def prometheus_goes_or_comes(self, away: bool, seconds: int) -> None:
        self.world.provider_away = away
        self.time_goes_by(seconds)

    @rule(
        name=st.sampled_from(["board", "desk"]),
        answer=st.sampled_from([None, *HookAnswer]),
        seconds=PAUSES,
    )
    def hook_changes_its_mind(self, name: str, answer: HookAnswer | None, seconds: int) -> None:
        self.world.hooks.pop(name, None)
        if answer is not None:
            self.world.hooks[name] = answer
        self.world.dirty = True
        self.time_goes_by(seconds)

    @rule(writes=st.integers(0, 6), seconds=PAUSES)
    def operator_dies_soon(self, writes: int, seconds: int) -> None:
        self.world.dies_after = writes
        self.time_goes_by(seconds)

    @rule(version=st.sampled_from(VERSIONS), seconds=PAUSES)
    def model_version_is_deleted(self, version: str, seconds: int) -> None:
        self.world.versions.pop(version, None)
        self.world.dirty = True
        self.time_goes_by(seconds)

    @rule(version=st.sampled_from(VERSIONS), seconds=PAUSES)
    def model_version_is_made(self, version: str, seconds: int) -> None:
        self.world.versions[version] = model_version(version)
        self.world.dirty = True
        self.time_goes_by(seconds)

    @rule(phase=st.sampled_from(["Rejected", "Verifying"]), version=st.sampled_from(VERSIONS))
    def model_version_is_doubted(self, phase: str, version: str) -> None:
        self.world.versions[version] = model_version(version, phase=phase)
        self.world.dirty = True
        self.time_goes_by(5)

    @rule(channel=st.sampled_from([{"alias": "champion"}, {"latestApproved": True}]))
    def person_asks_by_channel(self, channel: dict[str, object]) -> None:
        self.world.applies(model={"channel": {"modelName": "delay"} | channel})
        self.time_goes_by(5)

    @rule(
        bearers=st.lists(st.sampled_from(VERSIONS), unique=True, max_size=2),
        newest=st.sampled_from(VERSIONS),
        seconds=PAUSES,
    )
    def channels_move(self, bearers: list[str], newest: str, seconds: int) -> None:
        for version in self.world.versions:
            self.world.versions[version] = model_version(
                version,
                aliases=["champion"] if version in bearers else [],
                created=format_time(self.world.now)
                if version == newest
                else "2020-01-01T00:00:00Z",
            )
        self.world.dirty = True
        self.time_goes_by(seconds)

    @rule(spec=st.sampled_from(UNREADABLE), seconds=PAUSES)
    def spec_becomes_unreadable(self, spec: dict[str, object], seconds: int) -> None:
        readable = dict(self.world.spec)
        self.world.spec = readable | spec
        self.world.generation += 1
        self.world.dirty = True
        self.unreadable = True
        self.time_goes_by(seconds)
        self.world.spec = readable
        self.world.applies()
        self.unreadable = False
        self.time_goes_by(1)

    @rule(part=st.sampled_from(PARTS_OF_STATUS))
    def status_is_lost(self, part: str) -> None:
        if part == "all":
            self.world.status = {}
        elif part in self.world.status:
            self.world.status[part] = {"damaged": 7}
        self.world.dirty = True
        self.time_goes_by(3)

    @rule(kind=st.sampled_from(["Service", "ControllerRevision"]), seconds=PAUSES)
    def somebody_deletes(self, kind: str, seconds: int) -> None:
        kept = {ref: body for ref, body in self.world.objects.items() if ref.kind != kind}
        self.world.objects = kept
        self.world.dirty = True
        if kind == "ControllerRevision":
            self.rejected = set()
        self.world.operator_works()
        self.time_goes_by(seconds)

    @rule(seconds=PAUSES)
    def somebody_writes_the_service(self, seconds: int) -> None:
        if self.world.service:
            self.world.resource_version += 1
            self.world.service["metadata"]["resourceVersion"] = str(self.world.resource_version)
        self.time_goes_by(seconds)

    @invariant()
    def laws_hold(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        serving = {pod.revision for pod in world.selected_pods()}
        status = world.status
        recorded = {ref.name.split("-")[1] for ref in world.objects if "-rejected" in ref.name}
        self.rejected |= recorded - set(status.get("retriedRevisions", ()))
        known = {world.stable_revision, world.canary_revision} - {None}
        rejected = {one["revision"] for one in status.get("rejectedRevisions", ())}
        canary, replicas = world.canary, world.spec["replicas"] if self._wants_pods() else 0

        assert len(serving) <= 2
        assert len({one["revision"] for one in status.get("history", ())} | known) <= 20
        assert not (rejected & known - {world.stable_revision})
        assert world.canary_revision not in self.rejected
        if "firstCheck" in status and not canary and status.get("updateRevision") in known:
            assert ("Promoted", "True") not in {
                (one["type"], one["status"]) for one in status["conditions"]
            }
        if canary:
            assert 0 <= canary["step"] <= max(canary["stepsTotal"], 1)
            assert 0 <= canary["actualWeight"] <= 100
            assert canary["revision"] != world.stable_revision
            hidden = canary.get("preview") or canary.get("shadow")
            shown = canary.get("withdrawn") or hidden
            if shown and not world.dirty and world.dies_after is None:
                assert canary["revision"] not in serving
        if not world.dirty and world.dies_after is None and replicas:
            asked = world.workloads()
            if world.stable_revision in asked:
                assert asked[world.stable_revision]["spec"]["replicas"] == replicas
            assert serving <= known
            assert not serving & (rejected - {world.stable_revision})

    def _nobody_lost_the_service(self, served_before: bool) -> None:
        if served_before and self._wants_pods() and self.world.stable_revision:
            assert self.world.selected_pods(), self.world.told()

    def _stable_is_what_was_released(self) -> None:
        """Stable changes by a promotion only, and is forgotten only after a scaling to zero."""
        stable = self.world.stable_revision
        if stable is not None and stable != self.was_stable:
            assert stable in self.runs_or_ran
            self.was_stable, self.was_zero = stable, False
            self.runs_or_ran = set()
        if stable is None and self.was_stable is not None and self.world.status:
            assert self.was_zero
            self.was_stable = None

    def _wants_pods(self) -> bool:
        """Whether the spec is known to ask for pods."""
        return not self.unreadable and self.world.spec["replicas"] > 0

    def teardown(self) -> None:
        """Left alone, everything comes to rest and is written no more."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.provider_away = False
        world.dies_after = None
        world.applies(suspend=False)
        world.versions = {name: model_version(name) for name in VERSIONS}
        world.dirty = True
        for _ in range(150):
            world.ticks()
            self.laws_hold()
        assert world.phase in ("Healthy", "Paused", "Degraded", "Progressing"), world.told()
        if world.canary is None and "firstCheck" not in world.status:
            before = len(world.writes)
            world.dirty = True
            world.ticks()
            assert world.writes[before:] == []


DeploymentMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None
)
TestDeploymentLaws = pytest.mark.timeout(300)(DeploymentMachine.TestCase)
