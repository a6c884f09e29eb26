"""What the counters of known servers mean, and what of it can't be known.

Read in the projects' own sources and documents:

bentoml
    `bentoml/_internal/server/http/instruments.py`: a counter and a histogram with the labels
    endpoint, service_name, service_version and http_response_code, under the namespace
    `bentoml_service`. Probes are counted, too, so their endpoints are left out.
kserve
    `kserve/metrics.py`: the histogram `request_predict_seconds` with the label model_name. There is
    no counter of failures, so no error-rate.
mlserver
    User guide, "Metrics": `model_infer_request_success` and `model_infer_request_failure`, to which
    the Python client adds `_total`. Its histograms have a prefix that users choose.
triton
    User guide, "Metrics", port 8002: `nv_inference_request_success` and
    `nv_inference_request_failure`. The failures don't count what never reached a model, such as a
    body that is no JSON (triton-inference-server/tensorrtllm_backend#582). Its durations are sums
    without buckets, so no slow-requests.
"""

from __future__ import annotations

from collections.abc import Mapping

from serinus.api.counters import Counters, CounterSelector, MetricsProfile
from serinus.api.enums import MetricTemplate

_NO_PROBES = {"endpoint": "/(metrics|healthz|livez|readyz).*"}

PROFILES: Mapping[MetricsProfile, Counters] = {
    MetricsProfile.BENTOML: Counters(
        requests=[CounterSelector(name="bentoml_service_request_total", without=_NO_PROBES)],
        failed=[
            CounterSelector(
                name="bentoml_service_request_total",
                labels={"http_response_code": "5.."},
                without=_NO_PROBES,
            )
        ],
        duration=CounterSelector(
            name="bentoml_service_request_duration_seconds", without=_NO_PROBES
        ),
    ),
    MetricsProfile.KSERVE: Counters(duration=CounterSelector(name="request_predict_seconds")),
    MetricsProfile.MLSERVER: Counters(
        requests=[
            CounterSelector(name="model_infer_request_success_total"),
            CounterSelector(name="model_infer_request_failure_total"),
        ],
        failed=[CounterSelector(name="model_infer_request_failure_total")],
    ),
    MetricsProfile.TRITON: Counters(
        requests=[
            CounterSelector(name="nv_inference_request_success"),
            CounterSelector(name="nv_inference_request_failure"),
        ],
        failed=[CounterSelector(name="nv_inference_request_failure")],
    ),
}

OWN = Counters(
    requests=[CounterSelector(name="serinus_requests_total")],
    failed=[CounterSelector(name="serinus_requests_total", labels={"code": "5..|400"})],
    duration=CounterSelector(name="serinus_request_duration_seconds"),
)
"""Serinus' own server, where it is compared with another."""


def tells(counters: Counters, template: MetricTemplate) -> bool:
    """Whether a server with these counters can be judged by the template."""
    match template:
        case MetricTemplate.ERROR_RATE:
            return bool(counters.requests and counters.failed)
        case MetricTemplate.SLOW_REQUESTS:
            return counters.duration is not None
        case _:
            return False
