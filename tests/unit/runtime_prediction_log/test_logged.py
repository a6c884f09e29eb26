"""Who is in a sample."""

import pytest

from serinus_runtime.prediction_log.logged import is_sampled

IDS = [f"an-id-{number}" for number in range(20_000)]


@pytest.mark.parametrize("percent", [1, 10, 50, 99])
def test_a_sample_is_as_large_as_it_was_asked_for(percent: int) -> None:
    found = sum(is_sampled(one, percent) for one in IDS)

    assert found == pytest.approx(len(IDS) * percent / 100, rel=0.15, abs=60)


def test_none_or_all() -> None:
    assert not any(is_sampled(one, 0) for one in IDS)
    assert all(is_sampled(one, 100) for one in IDS)


def test_a_larger_sample_holds_the_smaller_one() -> None:
    assert all(is_sampled(one, 30) for one in IDS if is_sampled(one, 10))
