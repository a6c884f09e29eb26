"""What is kept of a metric between two rounds: one opaque string of at most 1 KiB, in status.

The watermark is in the same string as the evidence, so the two can't drift apart: whoever reads
the string continues exactly where it was written, and counts nothing twice. All numbers are
rounded before they are used further, so decode(encode(state)) == state, bit for bit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

from serinus.analysis.cells import Rejected
from serinus.analysis.cold_pods import ColdArm, ColdPods
from serinus.analysis.eprocess import Mixture, Side, new_mixture
from serinus.analysis.samples import Contradiction
from serinus.api.verdicts import Counts

MAX_STATE_BYTES = 1024
_VERSION = "1"
_POD_NAME_SHOWN = 63
_NONE_KNOWN = -1


class InflationSource(StrEnum):
    """Where the variance inflation comes from."""

    GIVEN = "given"
    MEASURED = "measured"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Stable before the rollout; frozen at its start, because a later guess would peek.

    `requests` is how much the rate weighs against what the rollout itself shows of stable.
    """

    rate: float
    requests: float
    variance_inflation: float
    inflation_source: InflationSource


@dataclass(frozen=True, slots=True)
class Bets:
    """Evidence of one comparison, on both sides of it."""

    harm: Mixture = field(default_factory=lambda: new_mixture(Side.HARM))
    safe: Mixture = field(default_factory=lambda: new_mixture(Side.SAFE))


@dataclass(frozen=True, slots=True)
class RateState:
    """Everything that a rate metric remembers; its size doesn't grow.

    Attributes
    ----------
    watermark_ms
        End of the last round: what is older is counted.
    bets
        One for each comparison of the rule, in its order.
    canary, stable
        Counts since the rollout began.
    scrapes_in_lookback
        Scrapes known in the lookback before the watermark; more of them later came late. None
        before the first are.
    late_scrapes
        Scrapes that came after their round was closed and were dropped.
    rejected_rounds, rejected
        Rounds that contradicted themselves; the second is set while the last one did.
    canary_seen_ms, stable_seen_ms
        Newest samples; None before the first.
    total_harm
        Highest log-evidence of harm of all metrics together, the same in each metric's state.
    cold
        What was left out of cold pods.
    """

    watermark_ms: int
    baseline: Baseline
    bets: tuple[Bets, ...]
    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)
    scrapes_in_lookback: int | None = 0
    late_scrapes: int = 0
    rejected_rounds: int = 0
    rejected: Rejected | None = None
    canary_seen_ms: int | None = None
    stable_seen_ms: int | None = None
    total_harm: float = 0.0
    cold: ColdPods = field(default_factory=ColdPods)


class StateUnreadableError(ValueError):
    """The string was not written by a version of `encode_state` that this one knows."""


def encode_state(state: RateState) -> str:
    """The state as text; ASCII, at most `MAX_STATE_BYTES`."""
    rejected = state.rejected
    fields = [
        state.watermark_ms,
        [state.baseline.rate, state.baseline.requests],
        [state.baseline.variance_inflation, state.baseline.inflation_source.value],
        [state.canary.bad, state.canary.total, state.stable.bad, state.stable.total],
        [[_mixture_fields(bet.harm), _mixture_fields(bet.safe)] for bet in state.bets],
        [
            _NONE_KNOWN if state.scrapes_in_lookback is None else state.scrapes_in_lookback,
            state.late_scrapes,
            state.rejected_rounds,
        ],
        [rejected.why.name, rejected.pod[:_POD_NAME_SHOWN]] if rejected else None,
        [state.canary_seen_ms, state.stable_seen_ms],
        state.total_harm,
    ]
    if state.cold != ColdPods():  # else as it was written before, for whoever goes back to that
        fields.append([*_cold_fields(state.cold.canary), *_cold_fields(state.cold.stable)])
    return _VERSION + json.dumps(fields, separators=(",", ":"))


def decode_state(text: str) -> RateState:
    """The state that `text` holds.

    Raises
    ------
    StateUnreadableError
        If `text` is damaged or of an unknown version.
    """
    if not text.startswith(_VERSION + "["):
        raise StateUnreadableError("unknown version of the analysis state")
    try:
        fields = json.loads(text[len(_VERSION) :])
        watermark, prior, inflation, counts, bets, tallies, rejected, seen, total, *cold = fields
        return RateState(
            watermark_ms=watermark,
            baseline=Baseline(prior[0], prior[1], inflation[0], InflationSource(inflation[1])),
            canary=Counts(counts[0], counts[1]),
            stable=Counts(counts[2], counts[3]),
            bets=tuple(Bets(_mixture(harm), _mixture(safe)) for harm, safe in bets),
            scrapes_in_lookback=None if tallies[0] == _NONE_KNOWN else tallies[0],
            late_scrapes=tallies[1],
            rejected_rounds=tallies[2],
            rejected=Rejected(Contradiction[rejected[0]], rejected[1]) if rejected else None,
            canary_seen_ms=seen[0],
            stable_seen_ms=seen[1],
            total_harm=total,
            cold=_cold(*cold) if cold else ColdPods(),
        )
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise StateUnreadableError("damaged analysis state") from error


def _cold_fields(arm: ColdArm) -> tuple[int, int, int]:
    return arm.pods, arm.left_out_ms, arm.cold


def _cold(fields: list[int]) -> ColdPods:
    return ColdPods(ColdArm(*fields[:3]), ColdArm(*fields[3:]))


def _mixture_fields(mixture: Mixture) -> list[object]:
    return [
        list(mixture.log_wealths),
        mixture.reserve,
        mixture.log_evidence,
        mixture.max_log_evidence,
    ]


def _mixture(fields: list[object]) -> Mixture:
    wealths, reserve, evidence, highest = fields
    if not isinstance(wealths, list):
        raise TypeError("log_wealths is a list")
    return Mixture(tuple(wealths), reserve, evidence, highest)  # type: ignore[arg-type]
