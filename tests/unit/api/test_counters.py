"""Counters of a server by what they mean."""

import pytest
from pydantic import ValidationError

from serinus.api.counters import Counters, CounterSelector, MetricsProfile


def test_each_server_that_is_known_has_a_word() -> None:
    assert [one.value for one in MetricsProfile] == ["bentoml", "kserve", "mlserver", "triton"]


@pytest.mark.parametrize("name", ["", "a-b", "9lives", 'x{y="z"}'])
def test_a_name_that_no_metric_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        CounterSelector(name=name)


def test_a_histogram_alone_is_enough() -> None:
    assert Counters(duration=CounterSelector(name="seconds")).requests is None
