"""The opaque string: small, complete, and refused when it isn't ours."""

import json
from dataclasses import replace

import pytest

from serinus.analysis.cells import Rejected
from serinus.analysis.cold_pods import ColdArm, ColdPods
from serinus.analysis.eprocess import HARM_ODDS, SAFE_ODDS, Mixture
from serinus.analysis.samples import Contradiction
from serinus.analysis.state import (
    MAX_STATE_BYTES,
    Baseline,
    Bets,
    InflationSource,
    RateState,
    StateUnreadableError,
    decode_state,
    encode_state,
)
from serinus.api.verdicts import Counts

LONGEST = -12345.123456789
WORST = RateState(
    watermark_ms=1_700_000_000_123,
    baseline=Baseline(0.123456789, 5000.0, 123.123456789, InflationSource.MEASURED),
    bets=(
        Bets(
            harm=Mixture((LONGEST,) * len(HARM_ODDS), 0.123456789, LONGEST, 12.123456789),
            safe=Mixture((LONGEST,) * len(SAFE_ODDS), 0.0, LONGEST, 12.123456789),
        ),
    )
    * 2,
    canary=Counts(1_234_567.123456789, 123_456_789_012),
    stable=Counts(1_234_567.123456789, 123_456_789_012),
    scrapes_in_lookback=12_000,
    late_scrapes=12_000,
    rejected_rounds=12_000,
    rejected=Rejected(Contradiction.BAD_EXCEEDS_TOTAL, "p" * 63),
    canary_seen_ms=1_700_000_000_123,
    stable_seen_ms=1_700_000_000_123,
    total_harm=LONGEST,
    cold=ColdPods(ColdArm(5_000, 123_456_789_012, 4_999), ColdArm(5_000, 123_456_789_012, 5_000)),
)


def test_the_largest_state_of_two_comparisons_fits() -> None:
    text = encode_state(WORST)

    assert len(text.encode()) <= MAX_STATE_BYTES
    assert decode_state(text) == WORST


def test_a_state_from_before_cold_pods_were_left_out_is_read_and_written_as_it_was() -> None:
    before = replace(WORST, cold=ColdPods())
    text = encode_state(before)

    assert len(json.loads(text[1:])) == 9
    assert decode_state(text) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2[]",
        "1",
        "1[",
        "1[]",
        '1{"a":1}',
        encode_state(WORST)[:-1] + ",7]",
        encode_state(WORST)[:-3],
        "s1[null]",
    ],
)
def test_a_damaged_state_is_refused(text: str) -> None:
    with pytest.raises(StateUnreadableError):
        decode_state(text)
