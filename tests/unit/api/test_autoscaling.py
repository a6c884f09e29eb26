"""Block `autoscaling`: what can be copied from a HorizontalPodAutoscaler, and what can't be."""

import pytest
from pydantic import ValidationError

from serinus.api.autoscaling import Autoscaling
from tests.support.autoscaler import by_cpu


def test_what_was_copied_comes_out_as_it_was() -> None:
    copied = by_cpu(2, 8)

    given = Autoscaling.model_validate(copied)

    assert given.model_dump(mode="json", by_alias=True, exclude_none=True) == copied


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({}, "maxReplicas", id="no maximum"),
        pytest.param({"maxReplicas": 0}, "maxReplicas", id="no pods"),
        pytest.param({"maxReplicas": 4, "minReplicas": 0}, "minReplicas", id="down to zero"),
        pytest.param({"maxReplicas": 4, "metrics": [{"type": "Cpu"}]}, "metrics.0.type", id="type"),
    ],
)
def test_what_can_t_be_is_refused_with_its_field(spec: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError, match=rf"(?s)\n{field}\n"):
        Autoscaling.model_validate(spec)
