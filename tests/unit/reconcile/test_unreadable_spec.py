"""An object that can't be read is told, and all that was so stays so."""

from typing import Any

import pytest
from pydantic import ValidationError

from serinus.api.featureset import FeatureSet
from serinus.reconcile.decision import Decision
from serinus.reconcile.unreadable_spec import unreadable_spec
from tests.support.run_world import NOW, a_feature_set


def decision(status: Any) -> Decision:
    resource = {**a_feature_set(sources=[{"name": 5}]).resource, "status": status}
    with pytest.raises(ValidationError) as refused:
        FeatureSet.model_validate(resource)
    return unreadable_spec(resource, refused.value, NOW)


def test_the_first_field_is_named_and_the_rest_of_the_status_stays() -> None:
    found = decision({"latestSnapshot": {"digest": "d"}, "conditions": [{"type": "odd"}]})

    assert found.status is not None
    assert found.status["message"].startswith("spec.sources[0].name: ")
    assert found.status["latestSnapshot"] == {"digest": "d"}
    assert {one["type"] for one in found.status["conditions"]} == {"Ready", "Stalled"}
    assert [event.reason for event in found.events] == ["InvalidSpec"]


@pytest.mark.parametrize("status", [None, "odd", [], {"conditions": "odd"}])
def test_an_odd_status_is_no_obstacle(status: Any) -> None:
    found = decision(status)

    assert found.status is not None
    assert found.status["observedGeneration"] == 1
