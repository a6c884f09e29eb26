"""The counters of known servers, on text as these servers write it at `/metrics`.

Names and labels are those of the projects: BentoML 1.4, KServe's Python server (`kserve/metrics.py`),
MLServer's and Triton's user guides. A BentoML that runs is asked in `tests/apiserver`.
"""
# ruff: noqa: E501 (a server breaks no line)

import re
from collections.abc import Iterator

import pytest

from serinus.analysis.promql import series_role
from serinus.analysis.server_profiles import OWN, PROFILES, tells
from serinus.analysis.spec import AgainstMaximum, RateRule
from serinus.api.counters import MetricsProfile
from serinus.api.enums import MetricTemplate

BENTOML = """\
# HELP bentoml_service_request_total Multiprocess metric
# TYPE bentoml_service_request_total counter
bentoml_service_request_total{endpoint="/readyz",http_response_code="200",service_name="iris",service_version="dev"} 9.0
bentoml_service_request_total{endpoint="/readyz",http_response_code="503",service_name="iris",service_version="dev"} 2.0
bentoml_service_request_total{endpoint="/classify",http_response_code="200",service_name="iris",service_version="dev"} 40.0
bentoml_service_request_total{endpoint="/classify",http_response_code="400",service_name="iris",service_version="dev"} 3.0
bentoml_service_request_total{endpoint="/classify",http_response_code="500",service_name="iris",service_version="dev"} 7.0
# HELP bentoml_service_request_duration_seconds Multiprocess metric
# TYPE bentoml_service_request_duration_seconds histogram
bentoml_service_request_duration_seconds_sum{endpoint="/classify",http_response_code="200",service_name="iris",service_version="dev"} 0.9
bentoml_service_request_duration_seconds_bucket{endpoint="/classify",http_response_code="200",le="0.05",service_name="iris",service_version="dev"} 30.0
bentoml_service_request_duration_seconds_bucket{endpoint="/classify",http_response_code="200",le="+Inf",service_name="iris",service_version="dev"} 40.0
bentoml_service_request_duration_seconds_count{endpoint="/classify",http_response_code="200",service_name="iris",service_version="dev"} 40.0
bentoml_service_request_duration_seconds_bucket{endpoint="/livez",http_response_code="200",le="0.05",service_name="iris",service_version="dev"} 8.0
bentoml_service_request_duration_seconds_count{endpoint="/livez",http_response_code="200",service_name="iris",service_version="dev"} 8.0
"""
KSERVE = """\
# HELP request_predict_seconds predict request latency
# TYPE request_predict_seconds histogram
request_predict_seconds_bucket{le="0.05",model_name="iris"} 18.0
request_predict_seconds_bucket{le="+Inf",model_name="iris"} 20.0
request_predict_seconds_count{model_name="iris"} 20.0
request_predict_seconds_sum{model_name="iris"} 0.31
# HELP request_preprocess_seconds pre-process request latency
# TYPE request_preprocess_seconds histogram
request_preprocess_seconds_bucket{le="+Inf",model_name="iris"} 20.0
request_preprocess_seconds_count{model_name="iris"} 20.0
request_preprocess_seconds_sum{model_name="iris"} 0.001
"""
MLSERVER = """\
# HELP model_infer_request_success_total Model infer request success count
# TYPE model_infer_request_success_total counter
model_infer_request_success_total{model="iris",version="v1"} 30.0
# HELP model_infer_request_success_created Model infer request success count
# TYPE model_infer_request_success_created gauge
model_infer_request_success_created{model="iris",version="v1"} 1.7e+09
# HELP model_infer_request_failure_total Model infer request failure count
# TYPE model_infer_request_failure_total counter
model_infer_request_failure_total{model="iris",version="v1"} 5.0
"""
TRITON = """\
# HELP nv_inference_request_success Number of successful inference requests, all batch sizes
# TYPE nv_inference_request_success counter
nv_inference_request_success{model="iris",version="1"} 11.0
# HELP nv_inference_request_failure Number of failed inference requests, all batch sizes
# TYPE nv_inference_request_failure counter
nv_inference_request_failure{model="iris",reason="BACKEND",version="1"} 1.0
nv_inference_request_failure{model="iris",reason="CANCELED",version="1"} 0.0
# HELP nv_inference_request_duration_us Cumulative inference request duration in microseconds
# TYPE nv_inference_request_duration_us counter
nv_inference_request_duration_us{model="iris",version="1"} 5310.0
"""
ERRORS, SLOW = MetricTemplate.ERROR_RATE, MetricTemplate.SLOW_REQUESTS
CASES = [
    (MetricsProfile.BENTOML, ERRORS, BENTOML, (7, 50)),
    (MetricsProfile.BENTOML, SLOW, BENTOML, (10, 40)),
    (MetricsProfile.KSERVE, SLOW, KSERVE, (2, 20)),
    (MetricsProfile.MLSERVER, ERRORS, MLSERVER, (5, 35)),
    (MetricsProfile.TRITON, ERRORS, TRITON, (1, 12)),
]


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """As Prometheus takes them: a client's parser would change names of counters."""
    for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.MULTILINE):
        yield name, dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)


@pytest.mark.parametrize(("profile", "template", "text", "counts"), CASES)
def test_what_a_server_writes_becomes_bad_of_total(
    profile: MetricsProfile, template: MetricTemplate, text: str, counts: tuple[int, int]
) -> None:
    rule = RateRule(
        "m", template, (AgainstMaximum(0.1),), latency_seconds=0.05, counters=(PROFILES[profile],)
    )
    bad = total = 0.0
    for name, labels, value in samples(text):
        if labels.get("le", "0.05") != "0.05":
            continue  # not asked for
        role = series_role(rule, {"__name__": name, **labels})
        if role is not None:
            bad += role.bad * value
            total += role.total * value

    assert (bad, total) == counts


@pytest.mark.parametrize("profile", list(MetricsProfile))
def test_what_a_profile_can_give_is_what_is_shown(profile: MetricsProfile) -> None:
    given = {one for one in MetricTemplate if tells(PROFILES[profile], one)}

    assert given == {template for shown, template, _, _ in CASES if shown is profile}


def test_our_own_server_gives_both() -> None:
    assert [one for one in MetricTemplate if tells(OWN, one)] == [ERRORS, SLOW]
