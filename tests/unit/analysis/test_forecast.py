"""The forecast is checked against what then happens."""

import math
import random

import pytest

from serinus.analysis.evidence import log_safe
from serinus.analysis.forecast import requests_needed
from serinus.analysis.spec import DEFAULT_COMPARISON
from serinus.analysis.state import RateState
from serinus.api.enums import MetricTemplate
from tests.support.canary_world import errors
from tests.support.rollout_rounds import Traffic, always, grown, new_state, rounds

DEFAULT = DEFAULT_COMPARISON[MetricTemplate.ERROR_RATE]
BETA = 0.05


def forecast(state: RateState) -> int | None:
    return requests_needed(errors(), state, beta=BETA, min_samples=50)


@pytest.mark.parametrize(("rate", "inflation"), [(0.0, 1), (0.01, 1), (0.01, 2), (0.05, 1)])
def test_it_is_right_within_a_factor_of_two_in_the_median(rate: float, inflation: float) -> None:
    ratios = []
    for seed in range(21):
        traffic = Traffic(50, always(rate), always(rate), steps=((0, 0.3),), interval=2)
        state, promised = new_state(rate, 5000, inflation), None
        for end, increment in rounds(traffic, random.Random(seed)):
            state = grown(state, increment, DEFAULT, alpha=0.01)
            if end == 10:
                promised = forecast(state)
                asked_at = state.canary.total
            if log_safe(state) >= math.log(1 / BETA):
                break
        if promised:
            ratios.append((state.canary.total - asked_at) / promised)

    assert 0.5 < sorted(ratios)[len(ratios) // 2] < 2


def test_no_request_no_forecast() -> None:
    assert forecast(new_state(0.01, 5000, 1)) is None


def test_a_canary_beyond_the_margin_will_never_be_safe() -> None:
    state = new_state(0.01, 5000, 1)
    traffic = Traffic(50, always(0.01), always(0.2), steps=((0, 0.3),), duration=60)
    for _, increment in rounds(traffic, random.Random(1)):
        state = grown(state, increment, DEFAULT, alpha=0.01)

    assert forecast(state) is None


def test_what_is_shown_still_waits_for_the_least_number_of_requests() -> None:
    state = new_state(0.0, 5000, 1)
    traffic = Traffic(50, always(0), always(0), steps=((0, 0.3),), duration=120)
    for _, increment in rounds(traffic, random.Random(1)):
        state = grown(state, increment, DEFAULT, alpha=0.01)

    assert forecast(state) == 0
    assert requests_needed(errors(), state, beta=BETA, min_samples=state.canary.total + 70) == 70
