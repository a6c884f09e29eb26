"""Servers that know nothing of revisions are judged by their pods, with the same engine."""

from serinus.analysis.cells import Arm
from serinus.analysis.counters import counter_series
from serinus.analysis.foreign_counters import counted, identity, names_of
from serinus.analysis.promql import rate_query
from serinus.analysis.samples import RangeVector
from serinus.analysis.server_profiles import OWN, PROFILES
from serinus.analysis.spec import AgainstMaximum, AnalysisContext, RateRule
from serinus.api.counters import Counters, CounterSelector, MetricsProfile
from serinus.api.enums import MetricTemplate
from tests.support.recorded_counters import moment

CANARY, STABLE, START = "c0ffee0000", "5ab1e00000", 1_700_000_000
CONTEXT = AnalysisContext(
    "flights", "delay", CANARY, STABLE, (f"delay-{CANARY}", f"delay-{STABLE}"),
    moment(START), moment(START),
)  # fmt: skip
BOTH = (PROFILES[MetricsProfile.BENTOML], OWN)


def rule(template: MetricTemplate = MetricTemplate.ERROR_RATE) -> RateRule:
    return RateRule("m", template, (AgainstMaximum(0.1),), latency_seconds=1.0, counters=BOTH)


def test_series_are_asked_for_by_pods_and_of_both_servers() -> None:
    assert rate_query(rule(), CONTEXT, range_ms=1) == (
        '{__name__=~"bentoml_service_request_total|serinus_requests_total",namespace="flights",'
        f'pod=~"(delay\\\\-{CANARY}|delay\\\\-{STABLE})-.+"}}[1ms]'
    )
    slow = rate_query(rule(MetricTemplate.SLOW_REQUESTS), CONTEXT, range_ms=1)
    assert 'le=~"|1|1\\\\.0"' in slow
    assert "bentoml_service_request_duration_seconds_bucket" in slow


def series(pod: str, value: float, **labels: str) -> RangeVector:
    given = {"__name__": "bentoml_service_request_total", "pod": pod, "endpoint": "/classify"}
    return RangeVector({**given, **labels}, ((float(START), value),))


def test_the_pod_says_which_version_answered() -> None:
    vectors = [
        series(f"delay-{CANARY}-7d9-x", 3, http_response_code="500"),
        series(f"delay-{CANARY}-7d9-x", 5, http_response_code="200"),
        series(f"delay-{STABLE}-5f6-y", 7, http_response_code="200"),
        series("delay-0000000000-5f6-z", 9, http_response_code="200"),
        series(f"delay-{CANARY}-7d9-x", 11, http_response_code="200", endpoint="/readyz"),
    ]

    found = counter_series(vectors, rule(), CONTEXT, first_cohort_seconds=0)

    assert sorted((one.arm, one.role.bad, one.samples[0].value) for one in found) == sorted(
        [(Arm.CANARY, 1, 3.0), (Arm.CANARY, 0, 5.0), (Arm.STABLE, 0, 7.0)]
    )


def test_what_the_scrape_adds_doesn_t_tell_series_apart_and_a_bound_neither() -> None:
    own = {"__name__": "x", "model_name": "iris"}
    scraped = {"instance": "10.0.0.1:3000", "job": "pods", "prometheus_replica": "a", "le": "1"}

    assert identity({**own, **scraped}) == identity(own)
    assert identity({**own, "model_name": "other"}) != identity(own)


def test_a_custom_server_counts_by_its_patterns() -> None:
    custom = Counters(
        requests=[CounterSelector(name="http_total", labels={"handler": "/predict.*"})],
        failed=[CounterSelector(name="http_total", labels={"code": "5.."})],
    )
    errors = MetricTemplate.ERROR_RATE

    def told(**labels: str) -> tuple[int, int] | None:
        found = counted((custom,), errors, {"__name__": "http_total", **labels})
        return (found.bad, found.total) if found else None

    assert told(handler="/predict/1", code="503") == (1, 1)
    assert told(handler="/predict", code="200") == (0, 1)
    assert told(handler="/metrics", code="500") is None
    assert names_of((custom,), errors) == ("http_total",)
