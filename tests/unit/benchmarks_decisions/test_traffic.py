"""Drawn traffic has the rates, the split and the moments that it was asked for."""

import numpy as np
import pytest

from benchmarks.decisions.traffic import (
    Traffic,
    always,
    drawn_answers,
    drawn_requests,
    during,
    from_second,
)

TRAFFIC = Traffic(20, duration_seconds=1800)


def rng() -> np.random.Generator:
    return np.random.default_rng(20131001)


@pytest.mark.parametrize(
    ("second", "share"), [(-1, 0), (0, 0.05), (599.9, 0.05), (600, 0.25), (1200, 0.5), (1799, 0.5)]
)
def test_the_split_follows_the_steps(second: float, share: float) -> None:
    assert TRAFFIC.canary_share(np.array([second])) == [share]


@pytest.mark.parametrize(
    ("rate", "second", "then"),
    [
        (always(0.2), -5, 0.2),
        (from_second(900, 0.5, before=0.1), 899, 0.1),
        (from_second(900, 0.5, before=0.1), 900, 0.5),
        (during(10, 20, 1.0, otherwise=0.1), 19.9, 1.0),
        (during(10, 20, 1.0, otherwise=0.1), 20, 0.1),
    ],
)
def test_rates_at_a_moment(rate, second: float, then: float) -> None:  # type: ignore[no-untyped-def]
    assert rate(np.array([float(second)])) == [then]


def test_all_requests_are_answered_by_one_arm_or_the_other() -> None:
    requests = drawn_requests(TRAFFIC, rng(), 40)
    before = TRAFFIC.scrapes_before

    assert requests.canary.shape == (40, 240 + 120, 3)
    assert not requests.canary[:, :before].any()
    total = requests.canary.sum(axis=2) + requests.stable.sum(axis=2)
    assert total.mean() == pytest.approx(20 * 15, rel=0.01)
    last = requests.canary[:, before + 80 :].sum() / total[:, before + 80 :].sum()
    assert last == pytest.approx(0.5, rel=0.01)


def test_bad_answers_have_their_rates_and_the_hour_before_is_stables_alone() -> None:
    drawn = drawn_answers(
        TRAFFIC,
        drawn_requests(TRAFFIC, rng(), 40),
        rng(),
        stable=always(0.02),
        canary=from_second(900, 0.5, before=0.02),
    )

    assert drawn.canary.total.shape == (40, 120, 3)
    assert drawn.before.total.shape == (40, 240, 4)
    assert drawn.before.bad.sum() / drawn.before.total.sum() == pytest.approx(0.02, rel=0.05)
    late = slice(60, None)
    assert drawn.canary.bad[:, late].sum() / drawn.canary.total[:, late].sum() == pytest.approx(
        0.5, rel=0.02
    )
    assert (drawn.stable.bad <= drawn.stable.total).all()


def test_rates_may_change_within_a_scrape_interval() -> None:
    traffic = Traffic(300, slices_per_scrape=3, duration_seconds=30, steps=((0.0, 0.5),))
    drawn = drawn_answers(
        traffic,
        drawn_requests(traffic, rng(), 50),
        rng(),
        stable=during(5, 10, 1.0, otherwise=0.0),
        canary=always(0.0),
    )

    assert drawn.stable.total.shape == (50, 2, 4)
    shares = drawn.stable.bad.sum(axis=(0, 2)) / drawn.stable.total.sum(axis=(0, 2))
    assert shares == pytest.approx([1 / 3, 0], abs=0.01)
