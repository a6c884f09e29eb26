"""The peers' rules, one row for each way in which they end a rollout."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from benchmarks.decisions.peers import (
    ArgoRollouts,
    Flagger,
    Measurement,
    Observed,
    Peer,
    PeerEnd,
    PeerEnding,
    ZTest,
    observed,
    peers,
)

MINUTE = 60.0


def minutes(
    *canary: tuple[int, int],
    stable: tuple[int, int] = (100, 1),
    away=None,  # type: ignore[no-untyped-def]
) -> Observed:
    """One scrape a minute: requests and bad ones of the canary in each."""
    counts = (
        [total for total, _ in canary],
        [bad for _, bad in canary],
        [stable[0]] * len(canary),
        [stable[1]] * len(canary),
    )
    return observed(counts, scrape_seconds=MINUTE, limit=0.02, away=away)


def rolled_back(minute: float) -> PeerEnding:
    return PeerEnding(PeerEnd.ROLLED_BACK, minute * MINUTE)


def paused(minute: float) -> PeerEnding:
    return PeerEnding(PeerEnd.PAUSED, minute * MINUTE)


def promoted(minute: float) -> PeerEnding:
    return PeerEnding(PeerEnd.PROMOTED, minute * MINUTE)


@dataclass(frozen=True)
class Case:
    says: str
    peer: Peer
    given: Sequence[Observed]
    then: PeerEnding


GOOD, BAD, NOTHING = (100, 1), (100, 5), (0, 0)
ARGO = ArgoRollouts("Argo", "a", 60, 60)
PATIENT = ArgoRollouts("Argo", "a", 60, 60, failure_limit=2)
RELATIVE = ArgoRollouts("Argo", "a", 60, 60, times_stable=2)
WIDE = ArgoRollouts("Argo", "a", 60, 180)
CAREFUL = ArgoRollouts(
    "Argo", "a", 60, 60, inconclusive_limit=1, without_traffic=Measurement.INCONCLUSIVE
)
FLAGGER = Flagger("Flagger", "f", 60, 2)

CASES = [
    Case("all good", ARGO, [minutes(GOOD, GOOD, GOOD)], promoted(3)),
    Case("one failure over the limit", ARGO, [minutes(GOOD, BAD, GOOD)], rolled_back(2)),
    Case(
        "failures are never forgotten",
        PATIENT,
        [minutes(BAD, GOOD, BAD, GOOD, BAD, GOOD)],
        rolled_back(5),
    ),
    Case(
        "as many as the limit are tolerated",
        PATIENT,
        [minutes(BAD, GOOD, BAD)],
        promoted(3),
    ),
    Case(
        "no traffic passes where conditions say so",
        ARGO,
        [minutes(NOTHING, GOOD)],
        promoted(2),
    ),
    Case(
        "no traffic pauses as inconclusive",
        CAREFUL,
        [minutes(NOTHING, GOOD, NOTHING)],
        paused(3),
    ),
    Case(
        "a long window remembers",
        WIDE,
        [minutes(GOOD, GOOD, (100, 9))],
        rolled_back(3),
    ),
    Case("beside stable", RELATIVE, [minutes((100, 9), stable=(100, 5))], promoted(1)),
    Case(
        "worse than twice stable",
        RELATIVE,
        [minutes((100, 11), stable=(100, 5))],
        rolled_back(1),
    ),
    Case(
        "the fifth error in a row, ten seconds after each other",
        ARGO,
        [minutes(*[GOOD] * 9, away=(100.0, 400.0))],
        PeerEnding(PeerEnd.ROLLED_BACK, 160.0),
    ),
    Case(
        "a short outage of the provider is survived",
        ARGO,
        [minutes(*[GOOD] * 5, away=(110.0, 125.0))],
        promoted(5),
    ),
    Case(
        "the first of two metrics",
        ARGO,
        [minutes(GOOD, BAD), minutes(BAD, GOOD)],
        rolled_back(1),
    ),
    Case(
        "Flagger counts to its threshold",
        FLAGGER,
        [minutes(BAD, GOOD, BAD)],
        rolled_back(3),
    ),
    Case(
        "Flagger takes silence for failure",
        FLAGGER,
        [minutes(NOTHING, NOTHING)],
        rolled_back(2),
    ),
    Case(
        "Flagger takes a provider that is away for failure",
        FLAGGER,
        [minutes(GOOD, GOOD, GOOD, away=(60.0, 180.0))],
        rolled_back(2),
    ),
    Case(
        "one failed check for two bad metrics",
        FLAGGER,
        [minutes(BAD, GOOD)] * 2,
        promoted(2),
    ),
    Case(
        "z at each scrape",
        ZTest("z", "z", 60),
        [minutes(GOOD, GOOD, (100, 20), GOOD)],
        rolled_back(3),
    ),
    Case(
        "z once",
        ZTest("z", "z", None),
        [minutes(GOOD, (100, 20), GOOD)],
        rolled_back(3),
    ),
    Case(
        "z without an error",
        ZTest("z", "z", 60),
        [minutes((9, 0), stable=(9, 0))],
        promoted(1),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_how_a_rollout_ends(case: Case) -> None:
    assert case.peer.ending(case.given) == case.then


def test_each_peer_of_the_benchmark_has_a_name_of_its_own() -> None:
    all_peers = peers(15)

    assert len({peer.short for peer in all_peers}) == len(all_peers)
    assert len({peer.name for peer in all_peers}) == len(all_peers)
