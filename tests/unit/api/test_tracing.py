"""Which collectors can be declared."""

import json

import pytest

from serinus.api.tracing import collectors_of


def declared(url: str, *names: str) -> str:
    return json.dumps([{"name": name, "url": url} for name in names])


@pytest.mark.parametrize(
    "url",
    [
        "http://collector:4318",
        "https://otel.example.com/ingest/otlp",
        "http://10.0.0.7:4318",
        "http://[fd00::7]:4318/",
    ],
)
def test_a_collector_is_an_address(url: str) -> None:
    (collector,) = collectors_of(declared(url, "platform"))

    assert (collector.name, collector.url, collector.namespaces) == ("platform", url, ())


@pytest.mark.parametrize(
    "url",
    [
        "collector:4318",
        "grpc://collector:4317",
        "http://ada:secret@collector:4318",
        "http://collector:4318?token=secret",
        "http://collector:4318/\n",
    ],
)
def test_one_that_can_t_be_meant_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        collectors_of(declared(url, "platform"))


def test_each_has_a_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="two trace collectors bear the same name"):
        collectors_of(declared("http://collector:4318", "a", "a"))
    assert collectors_of("") == ()
