"""Labels come when their delay says, count when they are mature, and belong to their cohort."""

import numpy as np
import pytest

from benchmarks.decisions.labels import LabelDelay, drawn_labels, of_metric
from benchmarks.decisions.traffic import Traffic, always

TRAFFIC = Traffic(50, steps=((0.0, 0.25),), duration_seconds=3600, scrape_seconds=60)
SOONER = LabelDelay(wrong_seconds=300, right_seconds=1800)


def drawn(delay: LabelDelay, rollouts: int = 20):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(20131001)
    rates = {"stable": always(0.1), "canary": always(0.2)}
    return drawn_labels(TRAFFIC, delay, rng, rollouts, **rates)


def test_what_has_come_by_an_age() -> None:
    mature = LabelDelay(300, 1800, maturity_seconds=600)

    assert SOONER.counted_by(np.array([-1.0, 300.0]), 300) == pytest.approx([0, 1 - np.exp(-1)])
    assert mature.counted_by(np.array([599.0, 600.0]), 300) == pytest.approx([0, 1 - np.exp(-2)])


def test_wrong_answers_are_known_sooner_in_both_arms() -> None:
    labels = drawn(SOONER)

    for arm, rate in ((labels.canary, 0.2), (labels.stable, 0.1)):
        first = arm.wrong[:, :5].sum() / (arm.wrong[:, :5].sum() + arm.right[:, :5].sum())
        assert first > 2 * rate
    share = labels.canary.right.sum() / (labels.canary.right.sum() + labels.stable.right.sum())
    assert share == pytest.approx(0.25 * 0.8 / (0.25 * 0.8 + 0.75 * 0.9), rel=0.01)


def test_mature_labels_show_the_true_rate_and_none_comes_before() -> None:
    labels = drawn(LabelDelay(100, 200, maturity_seconds=1800))

    assert not labels.canary.wrong[:, :29].any()
    wrong, right = labels.canary.wrong[:, 35:].sum(), labels.canary.right[:, 35:].sum()
    assert wrong / (wrong + right) == pytest.approx(0.2, rel=0.02)


def test_no_cohort_counts_before_it_began() -> None:
    labels = drawn(SOONER)
    rounds, cohorts = labels.canary.wrong.shape[1:]

    assert cohorts == 12
    for cohort in range(1, cohorts):
        assert not labels.canary.right[:, : cohort * 5, cohort].any()
    assert rounds == 60


def test_a_query_without_cohorts_also_sees_stables_old_requests() -> None:
    labels = drawn(SOONER)
    metric = of_metric(labels)

    assert metric.stable_at_arrival is not None
    assert of_metric(metric) is metric
    at_arrival = metric.stable_at_arrival.total[:, :5].sum() / 20
    # Old right answers still come, as many as in the hour before but for those of the last minutes.
    assert at_arrival > 2 * metric.stable.total[:, :5].sum() / 20
    assert metric.before.total.sum() / 20 == pytest.approx(50 * 3600, rel=0.01)
    assert metric.before.bad.sum() / metric.before.total.sum() == pytest.approx(0.1, rel=0.02)
