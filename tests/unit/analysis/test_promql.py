"""Query texts are a contract with the metrics provider: golden, with their escapes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from serinus.analysis.promql import (
    UnknownPlaceholderError,
    bound_spellings,
    exposures_query,
    placeholders,
    rate_query,
    scalar_query,
    series_identity,
    with_values,
)
from serinus.analysis.samples import Query
from serinus.analysis.spec import AgainstMaximum, RateRule, ScalarRule
from serinus.api.enums import MetricTemplate
from tests.support.canary_world import CANARY, CONTEXT, START, CanaryWorld, errors, pod_name
from tests.support.recorded_counters import labels, moment

MAXIMUM = (AgainstMaximum(0.1),)


def test_templates(golden: Callable[[str, str], None]) -> None:
    rate_rules = [
        errors(),
        RateRule("slow", MetricTemplate.SLOW_REQUESTS, MAXIMUM, latency_seconds=0.25),
        RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, MAXIMUM),
        RateRule("off", MetricTemplate.WRONG_PREDICTIONS, MAXIMUM, bound="30"),
        RateRule("brier", MetricTemplate.PREDICTION_LOSS, MAXIMUM, score="brier"),
        RateRule(
            "far", MetricTemplate.PREDICTION_LOSS, MAXIMUM, score="absoluteError", bound="2.5"
        ),
        RateRule(
            "late",
            MetricTemplate.PREDICTION_LOSS,
            MAXIMUM,
            score="pinball",
            bound="60",
            quantile="0.9",
        ),
        RateRule("range", MetricTemplate.OUT_OF_RANGE, MAXIMUM),
        RateRule("missed", MetricTemplate.FALSE_NEGATIVES, MAXIMUM),
        RateRule("alarms", MetricTemplate.FALSE_POSITIVES, MAXIMUM),
    ]
    texts = [
        f"{rule.template}\n  {rate_query(rule, CONTEXT, range_ms=60_000)}\n" for rule in rate_rules
    ]

    golden("promql/templates.txt", "\n".join(texts))


def test_of_labels_those_of_named_cohorts_are_asked_for_and_all_of_requests() -> None:
    wrong = RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, MAXIMUM)

    asked = rate_query(wrong, CONTEXT, range_ms=60_000, cohorts=[300, 600])

    assert 'cohort=~"|300|600"' in asked
    assert 'cohort=~"|"' in rate_query(wrong, CONTEXT, range_ms=60_000, cohorts=[])
    assert "cohort" not in rate_query(errors(), CONTEXT, range_ms=60_000, cohorts=[300])
    assert "cohort" not in rate_query(wrong, CONTEXT, range_ms=60_000)


def test_in_a_test_of_units_only_exposed_requests_of_both_arms_are_asked_for() -> None:
    exposed = replace(CONTEXT, exposed_only=True)

    everything = rate_query(errors(), CONTEXT, range_ms=60_000)
    asked = rate_query(errors(), exposed, range_ms=60_000)

    assert asked == everything.replace("}[", ',exposed="true"}[')


def test_exposed_requests_and_the_others_are_two_counters_of_a_pod() -> None:
    series = {"__name__": "serinus_requests_total", "revision": CANARY, "code": "200"}

    assert series_identity(errors(), series) != series_identity(
        errors(), series | {"exposed": "true"}
    )


@pytest.mark.parametrize("label", ["score", "bound", "quantile", "beyond"])
def test_labels_of_another_unit_are_another_counter_of_a_pod(label: str) -> None:
    series = {"__name__": "serinus_label_loss_total", "revision": CANARY, "cohort": "0"}

    assert series_identity(errors(), series) != series_identity(errors(), series | {label: "60"})


def test_the_exposures_of_a_test_are_asked_for_by_its_name() -> None:
    assert exposures_query("flights", 'a"b', "0123456789", range_ms=90_000) == (
        'max_over_time({__name__="serinus_exposures_total",namespace="flights",'
        'deployment="a\\"b",test="0123456789"}[90000ms])'
    )


def test_without_stable_only_the_canary_is_asked_for() -> None:
    alone = replace(CONTEXT, stable_revision=None)

    assert 'revision=~"c0ffee0000"' in rate_query(errors(), alone, range_ms=1)


def test_who_exports_a_series_says_the_target_not_the_series() -> None:
    canary = CanaryWorld()
    own = {"revision": CANARY, "code": "500"}
    ours = labels("serinus_requests_total", pod=pod_name("x7k2p", CANARY), **own)
    forged = labels("serinus_requests_total", pod="intruder", **own)
    unknown = labels("serinus_requests_total", **own)
    canary.provider.scrape(START, {ours: 1, forged: 1000, unknown: 1000})

    query = Query("errors", rate_query(errors(), CONTEXT, range_ms=60_000), moment(START + 1))
    answer = canary.provider.answer(query)

    assert [vector.labels["pod"] for vector in answer] == [pod_name("x7k2p", CANARY)]


def test_names_cant_break_out_of_the_query() -> None:
    odd = replace(CONTEXT, namespace='a"} or vector(1) #\\', canary_revision=".*")

    text = rate_query(errors(), odd, range_ms=1)

    assert r'namespace="a\"} or vector(1) #\\"' in text
    assert r'revision=~"\\.\\*|' in text


@pytest.mark.parametrize(
    ("seconds", "spellings"), [(0.25, ("0.25",)), (1, ("1", "1.0")), (0.0025, ("0.0025",))]
)
def test_spellings_of_a_bucket_bound(seconds: float, spellings: tuple[str, ...]) -> None:
    assert bound_spellings(seconds) == spellings


def test_placeholders_of_a_scalar() -> None:
    rule = ScalarRule(
        "queue",
        'max(q{r="{{ .revision }}",n="{{.namespace}}",d="{{ .deployment }}",'
        's!="{{ .stableRevision }}"})',
        maximum=1,
    )

    assert scalar_query(rule, CONTEXT) == (
        f'max(q{{r="c0ffee0000",n="flights",d="delay",s!="{CONTEXT.stable_revision}"}})'
    )


def test_an_unknown_placeholder_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownPlaceholderError) as refused:
        scalar_query(ScalarRule("queue", "max({{ .pod }})", maximum=1), CONTEXT)

    assert str(refused.value) == (
        "`query` has the unknown placeholder `{{ .pod }}`; "
        "known are `{{ .namespace }}`, `{{ .deployment }}`, `{{ .revision }}`, "
        "`{{ .stableRevision }}`"
    )


def test_values_are_filled_in_and_what_else_is_asked_for_stays() -> None:
    query = 'q{kind="{{ .kind }}",revision="{{ .revision }}"}'

    assert placeholders(query) == {"kind", "revision"}
    assert with_values(query, {"kind": 'a"b'}) == r'q{kind="a\"b",revision="{{ .revision }}"}'
