"""A template of the library of metrics, as it stands under its name in a labelled ConfigMap.

The text is YAML. What isn't known in it is refused, not left out: nobody checks a ConfigMap when it
is applied, so a slip in it has to be seen at the latest by who refers to it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.analysis import PARAMETERS_MAX, QUERY_MAX_LENGTH
from serinus.api.quantities import DecimalText, Duration
from serinus.api.schema_model import ApiModel, Text

TEMPLATES_LABEL = "serinus.dev/metric-templates"
"""Label of a ConfigMap whose keys are templates; its value is "true"."""
PARAMETER_PATTERN = r"^[a-zA-Z][a-zA-Z0-9]*$"

_STRICT = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class ParameterType(StrEnum):
    """What a parameter's value is, which says what it may be written as."""

    DECIMAL = "decimal"
    DURATION = "duration"
    TEXT = "text"
    """For the inside of a string in quotes."""


class TemplateParameter(ApiModel):
    """What a template wants to be told; without a default it has to be."""

    model_config = _STRICT

    name: Annotated[str, StringConstraints(pattern=PARAMETER_PATTERN, max_length=40)]
    type: ParameterType = ParameterType.DECIMAL
    default: Annotated[str, StringConstraints(max_length=256)] | None = None
    description: Text = ""


class MetricTemplateText(ApiModel):
    """A query with a meaning and limits, which a metric may set for itself."""

    model_config = _STRICT

    description: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    query: Annotated[str, StringConstraints(min_length=1, max_length=QUERY_MAX_LENGTH)]
    parameters: list[TemplateParameter] = Field(default_factory=list, max_length=PARAMETERS_MAX)
    min: DecimalText | None = None
    max: DecimalText | None = None
    success_min: DecimalText | None = None
    success_max: DecimalText | None = None
    interval: Duration | None = None
    initial_delay: Duration | None = None
