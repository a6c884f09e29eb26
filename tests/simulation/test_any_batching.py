"""The promised rate holds however rollouts are cut into rounds, and whenever somebody looks.

With alpha at a tenth and no tolerance, two hundred rollouts of the same version tell a rule that
keeps its promise from one that doesn't: a z test that looks as often rolls back twice as many.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.decisions import by_samples
from benchmarks.decisions.case import Case, Disturbance
from benchmarks.decisions.catalogue import catalogue
from benchmarks.decisions.peers import ZTest
from benchmarks.decisions.simulation import Chunk, drawn_metrics, peer_endings, played_chunk
from benchmarks.decisions.traffic import Traffic

ALPHA, ROLLOUTS = 0.1, 200
MOST = binom.ppf(0.999, ROLLOUTS, ALPHA)


def case(traffic: Traffic, disturbance: Disturbance | None = None) -> Case:
    equal = catalogue()["equal-50-0.01"]
    return replace(
        equal,
        traffic=traffic,
        rules=replace(equal.rules, alpha=ALPHA),
        cap=None,
        disturbance=disturbance,
    )


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic(50, scrape_seconds=5, duration_seconds=900),
        Traffic(50, scrape_seconds=30),
        Traffic(5, scrape_seconds=60, duration_seconds=7200),
        Traffic(50, steps=((0.0, 0.5),)),
        Traffic(50, steps=((0.0, 0.01), (300, 0.02), (600, 0.9))),
        Traffic(200, steps=((0.0, 0.2),), slices_per_scrape=5),
    ],
    ids=["5 s", "30 s", "1 min, long", "half", "1, 2 and 90 %", "a fifth of much"],
)
def test_whatever_the_rounds_and_the_split(traffic: Traffic) -> None:
    equal = case(traffic)
    tally = played_chunk(equal, Chunk(0, ROLLOUTS))
    peeking = ZTest("z test", "z", traffic.scrape_seconds, alpha=ALPHA)
    (drawn,) = drawn_metrics(equal, np.random.default_rng(20131001), ROLLOUTS)
    peeked = [one.rolled_back_at for one in peer_endings(equal, [drawn], peeking)]

    assert tally.product.rolled_back <= MOST
    assert sum(at is not None for at in peeked) > MOST


def test_whenever_somebody_looks_and_whatever_is_lost_on_the_way() -> None:
    disturbed = case(
        Traffic(50, canary_pods=2, stable_pods=2, duration_seconds=900),
        Disturbance(missed_share=0.3, restart_share=0.02),
    )
    rng = np.random.default_rng(20131001)
    drawn = drawn_metrics(disturbed, rng, ROLLOUTS)
    harmed = 0
    for rollout in range(ROLLOUTS):
        looks = np.sort(rng.random(rng.integers(1, 30))) * 900
        sampled = by_samples.sampled_rollout(disturbed, drawn, rollout, rng)
        found = by_samples.ending_by_samples(sampled, [*looks.tolist(), 900.0])
        harmed += found.rolled_back_at is not None

    assert harmed <= MOST
