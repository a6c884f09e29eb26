"""Play the rollouts of a case, in chunks with seeds of their own: any number of processes may."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.decisions import by_rounds, by_samples, peers
from benchmarks.decisions.by_rounds import Ending, RolloutCounts
from benchmarks.decisions.case import Case, Measure
from benchmarks.decisions.labels import DrawnLabels, drawn_labels, of_metric
from benchmarks.decisions.peers import Peer, PeerEnd
from benchmarks.decisions.tally import Decisions, Tally
from benchmarks.decisions.traffic import Drawn, drawn_answers, drawn_requests
from serinus.analysis.state import RateState, decode_state

CHUNK_SCRAPES = 60_000
"""A chunk holds about so many scrape intervals, whatever the length of its rollouts."""
WHOLE_WAY_ROLLOUTS = 3
"""So many of a case's rollouts also go the way of samples, one in each of the first chunks."""
_WHOLE_WAY_SCRAPES = 400


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rollouts of a case."""

    number: int
    rollouts: int


def chunks(case: Case, rollouts: int) -> list[Chunk]:
    """All of a case's rollouts; the first chunks are the same for every number of them."""
    wanted = max(1, round(rollouts * case.rollouts_share))
    size = max(10, min(250, CHUNK_SCRAPES // (case.traffic.scrapes * len(case.metrics))))
    return [
        Chunk(number, min(size, wanted - first))
        for number, first in enumerate(range(0, wanted, size))
    ]


def played_chunk(case: Case, chunk: Chunk) -> Tally:
    """Play the rollouts of a chunk; they depend on its number and the case's name alone."""
    seed = np.random.SeedSequence([zlib.crc32(case.name.encode()), chunk.number])
    of_traffic, of_samples = (np.random.default_rng(one) for one in seed.spawn(2))
    drawn = drawn_metrics(case, of_traffic, chunk.rollouts)
    metrics = [of_metric(one) for one in drawn]
    counts = by_rounds.counts_of_rollouts(case, drawn)
    tally = Tally()
    began = time.process_time()
    if case.goes_by_rounds:
        endings = _by_rounds(case, counts, tally)
        tally.product_seconds = time.process_time() - began
    else:
        endings = _by_samples(case, drawn, chunk.rollouts, of_samples, tally)
    tally.product = _decisions(case, metrics[0], endings)
    if chunk.number < WHOLE_WAY_ROLLOUTS and case.goes_by_rounds:
        _compare_whole_way(case, drawn, counts, of_samples, tally)
    if chunk.number < WHOLE_WAY_ROLLOUTS and _replays(case):
        _replay(case, drawn, of_samples, tally)
    for peer in peers.peers(case.traffic.scrape_seconds):
        tally.peers[peer.short] = _decisions(case, metrics[0], peer_endings(case, metrics, peer))
    return tally


def drawn_metrics(case: Case, rng: np.random.Generator, rollouts: int) -> list[Drawn | DrawnLabels]:
    """What each metric counts; metrics of the same users count the same requests."""
    requests = {
        metric.users: drawn_requests(case.traffic, rng, rollouts, share=metric.share_of_requests)
        for metric in case.metrics
        if metric.delay is None
    }
    return [
        drawn_answers(
            case.traffic,
            requests[metric.users],
            rng,
            stable=metric.stable,
            canary=metric.canary,
            spread=metric.spread,
        )
        if metric.delay is None
        else drawn_labels(
            case.traffic,
            metric.delay,
            rng,
            rollouts,
            stable=metric.stable,
            canary=metric.canary,
        )
        for metric in case.metrics
    ]


def _by_rounds(case: Case, counts: Sequence[Sequence[RolloutCounts]], tally: Tally) -> list[Ending]:
    endings = []
    for metrics in counts:
        played = by_rounds.played(case, metrics)
        tally.metric_rounds += played.rounds * len(metrics)
        endings.append(played.ending)
    return endings


def _by_samples(
    case: Case,
    drawn: Sequence[Drawn | DrawnLabels],
    rollouts: int,
    rng: np.random.Generator,
    tally: Tally,
) -> list[Ending]:
    tally.whole_way = rollouts
    return [
        by_samples.first_ending(by_samples.sampled_rollout(case, drawn, rollout, rng), rng)
        for rollout in range(rollouts)
    ]


def _compare_whole_way(
    case: Case,
    drawn: Sequence[Drawn | DrawnLabels],
    counts: Sequence[Sequence[RolloutCounts]],
    rng: np.random.Generator,
    tally: Tally,
) -> None:
    """The chunk's first rollout by its samples: the same evidence, bit for bit."""
    if case.cap is not None:  # the way of samples has no such setting
        return
    looks = by_samples.look_after_each_scrape(case, rng)[:_WHOLE_WAY_SCRAPES]
    sampled = by_samples.sampled_rollout(case, drawn, 0, rng)
    by_samples.ending_by_samples(sampled, looks)
    played = by_rounds.played(case, counts[0], rounds=len(looks))
    tally.whole_way += 1
    tally.whole_way_differs += any(
        evidence_of(decode_state(text)) != evidence_of(played.states[name])
        for name, text in sampled.states.items()
    )


def evidence_of(state: RateState) -> tuple[object, ...]:
    """What both ways have to agree on; only samples have times and a lookback."""
    return state.baseline, state.bets, state.canary, state.stable, state.total_harm


def _replays(case: Case) -> bool:
    return any(one.measure is Measure.DIFFERENT_STATES for one in case.requirements)


def _replay(
    case: Case, drawn: Sequence[Drawn | DrawnLabels], rng: np.random.Generator, tally: Tally
) -> None:
    sampled = by_samples.sampled_rollout(case, drawn, 0, rng)
    tally.replayed += 1
    tally.replay_differs += by_samples.states_that_differ_after_crashes(sampled, rng)


def peer_endings(case: Case, metrics: Sequence[Drawn], peer: Peer) -> list[Ending]:
    """What a peer's rule would have done with each of the drawn rollouts."""
    away = case.disturbance.provider_away if case.disturbance else None
    of_metrics = []
    for simulated, drawn in zip(case.metrics, metrics, strict=True):
        canary = drawn.canary.of_arm()
        stable = (drawn.stable_at_arrival or drawn.stable).of_arm()
        arms = (canary.total, canary.bad, stable.total, stable.bad)
        of_metrics.append(
            [
                peers.observed(
                    rounds,
                    scrape_seconds=case.traffic.scrape_seconds,
                    limit=simulated.peers_limit,
                    away=away,
                )
                for rounds in zip(*(arm.tolist() for arm in arms), strict=True)
            ]
        )
    endings = []
    for of_rollout in zip(*of_metrics, strict=True):
        found = peer.ending(of_rollout)
        endings.append(
            Ending(
                found.at if found.end is PeerEnd.ROLLED_BACK else None,
                found.at if found.end is PeerEnd.PROMOTED else None,
            )
        )
    return endings


def _decisions(case: Case, metric: Drawn, endings: Sequence[Ending]) -> Decisions:
    requests = np.cumsum(metric.canary.of_arm().total, axis=1)
    scrape = case.traffic.scrape_seconds
    fault_at = case.fault_at or 0.0
    found = Decisions(rollouts=len(endings))
    for number, ending in enumerate(endings):
        at, promoted_at = ending.rolled_back_at, ending.promoted_at
        found.rolled_back += at is not None
        found.promoted += promoted_at is not None and (at is None or promoted_at < at)
        if at is not None and at > fault_at:
            until = requests[number, min(round(at / scrape), requests.shape[1]) - 1]
            before = requests[number, round(fault_at / scrape) - 1] if fault_at else 0
            found.seconds.append(round(at - fault_at, 3))
            found.requests.append(float(until - before))
    return found
