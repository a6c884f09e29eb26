"""`plan -f FILE`: before a release, how long it takes and what it can tell.

From the manifest and from what Prometheus shows of the revision that serves (or from figures that
are given), with the rule that will judge the canary. Nothing is changed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from serinus.analysis.plan import MetricBaseline, Stage, Timing, planned
from serinus.analysis.plan_advice import advice
from serinus.api.ab_test import AbTest
from serinus.api.deployment import Deployment, DeploymentSpec
from serinus.api.enums import Kind
from serinus.cli.errors import CommandError, ExitCode, NotFoundError
from serinus.cli.manifest_files import is_ours, manifests_in
from serinus.cli.objects import RESOURCES
from serinus.cli.plan_traffic import context_of, given_baselines, measured_baselines
from serinus.cli.plan_view import sentence, show_metrics, show_steps
from serinus.cli.session import Session
from serinus.reconcile.deployment_ab_test import canary_percent, participating_percent
from serinus.reconcile.deployment_autoscaler import min_replicas
from serinus.reconcile.deployment_picture import DEFAULT_REPLICAS
from serinus.reconcile.deployment_rules import RolloutRules, frozen_rules, parsed_rules
from serinus.reconcile.server_counters import counters_of_rollout
from serinus.rollout.steps import Analyze, Pause, SetWeight, Shadow, Step, steps_taken
from serinus.rollout.weights import Router, canary_replicas


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Show the plan of each Deployment in the files; 2 where one isn't decided in its time."""
    plans = [
        _planned_and_shown(deployment, arguments, session)
        for deployment in _deployments(arguments.filename)
    ]
    return ExitCode.OK if all(plans) else ExitCode.UNSETTLED


def stages_of(
    steps: Sequence[Step], replicas: int, router: Router = Router.REPLICAS
) -> tuple[Stage, ...]:
    """What the steps ask for, with the weights that the router gives."""
    share, stages = 0.0, []
    for step in steps:
        match step:
            case SetWeight(weight_percent=weight):
                share = _share(router, replicas, weight)
                stages.append(Stage(share))
            case Pause(duration_seconds=seconds):
                stages.append(Stage(share, min_seconds=seconds or 0.0))
            case Analyze():
                mirrored = step if isinstance(step, Shadow) else None
                stages.append(
                    Stage(
                        (mirrored.percent or 100) / 100 if mirrored else share,
                        stable_share=1.0 if mirrored else None,
                        min_seconds=step.min_duration_seconds,
                        max_seconds=step.max_duration_seconds,
                        min_samples=step.min_samples,
                        waits_for_safety=step.last,
                    )
                )
    return tuple(stages)


def stages_of_a_test(test: AbTest, stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages with the shares of an A/B test; it is taken that all requests name a unit."""
    width = participating_percent(test) / 100
    of_canary = width * canary_percent(test) / 100
    return tuple(
        replace(stage, canary_share=of_canary, stable_share=width - of_canary) for stage in stages
    )


def _share(router: Router, replicas: int, weight_percent: int) -> float:
    if router is Router.GATEWAY_API:
        return weight_percent / 100
    pods = canary_replicas(replicas, weight_percent)
    return pods / (replicas + pods) if replicas else 0.0


def _planned_and_shown(
    deployment: Deployment, arguments: argparse.Namespace, session: Session
) -> bool:
    server = deployment.spec.server
    rules = parsed_rules(frozen_rules(deployment.spec, counters_of_rollout(server, server)))
    if rules.preview is not None:
        session.console.print(
            f"Deployment {deployment.metadata.name} is released by a switch: no user's request "
            "shows anything before it, so there is nothing to plan",
            soft_wrap=True,
        )
        return True
    replicas = _fewest_pods(deployment.spec)
    traffic_of = deployment.spec.traffic
    router = Router.GATEWAY_API if traffic_of and traffic_of.gateway_api else Router.REPLICAS
    steps = steps_taken(rules.steps, replicas, router)
    stages = stages_of(steps, replicas, router)
    if rules.ab_test is not None:
        stages = stages_of_a_test(rules.ab_test, stages)
    timing = Timing(rules.scrape_interval.total_seconds(), rules.warmup.total_seconds())
    known = _known(deployment, rules, arguments, session)
    if not known:
        raise CommandError(
            f"nothing is known of the metrics of Deployment {deployment.metadata.name}",
            "let it serve for some minutes, or give --requests-per-second and --rate",
        )
    plan = planned(rules.analysis, stages, known, timing)
    name = deployment.metadata.name
    traffic = max(one.events_per_second for one in known.values())
    session.console.print(
        f"Deployment {name}: {traffic:.3g} requests/s, {replicas} pods; typical times from the "
        "canary's first request on"
    )
    show_steps(steps, stages, plan, session)
    show_metrics(plan.metrics, session)
    for one in advice(plan, rules.analysis, stages, known, timing):
        session.console.print(f"- {sentence(one)}", soft_wrap=True)
    missing = [rule.name for rule in rules.analysis.metrics if rule.name not in known]
    if missing:
        session.console.print(
            f"- not planned, as nothing was counted or it is a query: {', '.join(missing)}"
        )
    return plan.promoted_seconds is not None


def _fewest_pods(spec: DeploymentSpec) -> int:
    if spec.autoscaling is not None:
        return min_replicas(spec.autoscaling)
    return DEFAULT_REPLICAS if spec.replicas is None else spec.replicas


def _known(
    deployment: Deployment, rules: RolloutRules, arguments: argparse.Namespace, session: Session
) -> Mapping[str, MetricBaseline]:
    rates = dict(_rate(text) for text in arguments.rate)
    if arguments.requests_per_second is not None:
        return given_baselines(
            rules.analysis, rates, requests_per_second=arguments.requests_per_second
        )
    name = deployment.metadata.name
    try:
        stored = session.cluster.get(RESOURCES[Kind.DEPLOYMENT], name)
    except NotFoundError as error:
        raise CommandError(
            f"Deployment {name} isn't in the cluster yet, so nothing is known of its traffic",
            "give --requests-per-second and --rate METRIC=FRACTION",
        ) from error
    stable = (stored.get("status", {}).get("stable") or {}).get("revision")
    if not stable:
        raise CommandError(
            f"Deployment {name} has no stable revision yet",
            "its first revision is not compared with anything: there is nothing to plan",
        )
    now = session.clock.now()
    context = context_of(stored["metadata"]["namespace"], name, stable, now)
    return measured_baselines(session.cluster, arguments.prometheus, rules.analysis, context, now)


def _rate(text: str) -> tuple[str, float]:
    metric, _, value = text.partition("=")
    try:
        rate = float(value)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= 1:
        raise CommandError(f"--rate {text}: write METRIC=FRACTION, such as errors=0.01")
    return metric, rate


def _deployments(filenames: Sequence[str]) -> list[Deployment]:
    found = [
        _parsed(manifest, filename)
        for filename in filenames
        for manifest in manifests_in(filename)
        if is_ours(manifest) and manifest.get("kind") == Kind.DEPLOYMENT
    ]
    if not found:
        raise CommandError(f"{', '.join(filenames)}: no Deployment of serinus.dev in it")
    return found


def _parsed(manifest: dict[str, Any], filename: str) -> Deployment:
    try:
        return Deployment.model_validate(manifest)
    except ValidationError as error:
        raise CommandError(
            f"{filename}: the Deployment can't be read: {error.errors()[0]['msg']}",
            f"`kubectl serinus lint -f {filename}` tells all of it",
        ) from error
