"""`server.tracing`: spans of requests, and the collectors that they may go to.

A Deployment chooses among the collectors by name and can name no address: whoever may write one
can't make pods call anything.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter

from serinus.api.declared import each_by_its_name
from serinus.api.quantities import FractionText
from serinus.api.schema_model import ApiModel

COLLECTOR_NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
COLLECTOR_URL_PATTERN = r"^https?://[A-Za-z0-9.\[\]:-]+(/[^\s@?#]*)?$"
"""No user, password or query: the address stands in pods for all to read."""
COLLECTOR_URL_MAX_LENGTH = 1024
DEFAULT_SAMPLE_RATIO = "0.1"


class Tracing(ApiModel):
    """Spans of requests. Part of the revision."""

    collector: Annotated[str, StringConstraints(pattern=COLLECTOR_NAME_PATTERN, max_length=40)] = (
        Field(
            description="Where spans go: the name of a collector, as the chart's value "
            "`traceCollectors` declares it."
        )
    )
    sample_ratio: FractionText | None = Field(
        default=None,
        description="Share of the requests with a span, of those that come with no trace, from 0 "
        "to 1; of the others those have one whose caller says so. Default: "
        f"{DEFAULT_SAMPLE_RATIO}.",
    )


class TraceCollector(ApiModel):
    """One that takes spans over OTLP/HTTP.

    Attributes
    ----------
    url
        Its base: `/v1/traces` is added.
    namespaces
        Of which Deployments; empty: of all.
    """

    name: str = Field(pattern=COLLECTOR_NAME_PATTERN)
    url: str = Field(pattern=COLLECTOR_URL_PATTERN, max_length=COLLECTOR_URL_MAX_LENGTH)
    namespaces: tuple[str, ...] = ()


_COLLECTORS = TypeAdapter(tuple[TraceCollector, ...])


def collectors_of(text: str) -> tuple[TraceCollector, ...]:
    """The collectors that a JSON list describes.

    Raises
    ------
    ValueError
        If it describes none that could be used.
    """
    return each_by_its_name(_COLLECTORS.validate_json(text or "[]"), called="trace collectors")
