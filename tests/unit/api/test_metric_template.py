"""What a template's text may say."""

import pytest
from pydantic import ValidationError

from serinus.api.metric_template import MetricTemplateText, ParameterType

LEAST = {"description": "d", "query": "up"}


def test_a_number_that_yaml_read_as_one_is_as_good_as_a_text() -> None:
    found = MetricTemplateText.model_validate({**LEAST, "max": 0.25, "successMax": "0.1"})

    assert (found.max, found.success_max) == ("0.25", "0.1")


def test_a_parameter_is_a_decimal_unless_it_says_otherwise() -> None:
    found = MetricTemplateText.model_validate({**LEAST, "parameters": [{"name": "price"}]})

    assert found.parameters[0].type is ParameterType.DECIMAL
    assert found.parameters[0].default is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": "up"},
        {"description": "d"},
        {**LEAST, "maximum": "1"},
        {**LEAST, "max": "much"},
        {**LEAST, "parameters": [{"name": "a b"}]},
        {**LEAST, "parameters": [{"name": "a", "type": "number"}]},
        {**LEAST, "interval": "soon"},
    ],
)
def test_what_can_t_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MetricTemplateText.model_validate(wrong)
