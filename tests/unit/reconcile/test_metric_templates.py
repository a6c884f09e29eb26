"""A metric of the library is frozen as it stood when its rollout began, or nothing begins."""

from pathlib import Path
from typing import Any

import pytest

from serinus.api.analysis import Analysis
from serinus.reconcile.metric_templates import refers_to_library, templated
from serinus.reconcile.snapshot import TemplateMap, TemplatesSeen

SHIPPED = Path(__file__).parents[3] / "charts" / "serinus" / "metric-templates"
QUEUE = """
description: Requests that wait.
query: max(queue{revision="{{ .revision }}",kind="{{ .kind }}"}[{{ .window }}])
parameters:
- {name: kind, type: text}
- {name: window, type: duration, default: 5m}
max: 100
interval: 10s
"""
POD = {
    "spec": {
        "containers": [
            {"resources": {"requests": {"cpu": "500m", "memory": "512Mi"}}},
            {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
            {"name": "without any"},
        ]
    }
}


def library(name: str = "ours", namespace: str = "flights", **texts: str) -> TemplateMap:
    return TemplateMap(
        namespace, name, {key.replace("_", "-"): text for key, text in texts.items()}
    )


def metric(template: str = "queue", **fields: Any) -> dict[str, Any]:
    parameters = fields.pop("parameters", {"kind": "slow"})
    return {"name": "m", "templateRef": {"name": template, "parameters": parameters}, **fields}


def followed(
    seen: TemplatesSeen, *metrics: dict[str, Any], pod: dict[str, Any] = POD
) -> tuple[list[dict[str, Any]], str | None]:
    given = Analysis.model_validate({"metrics": list(metrics)})
    found = templated(given, seen, pod)
    assert found.analysis is not None
    dumped = [one.model_dump(by_alias=True, exclude_none=True) for one in found.analysis.metrics]
    return dumped, found.problem


def problem(text: str = QUEUE, **fields: Any) -> str:
    _, told = followed(TemplatesSeen(own=(library(queue=text),)), metric(**fields))
    assert told is not None
    return told


def test_a_reference_becomes_the_query_with_its_parameters_and_limits() -> None:
    [found], told = followed(TemplatesSeen(own=(library(queue=QUEUE),)), metric())

    assert told is None
    assert found["prometheus"]["description"] == "Requests that wait."
    assert found["prometheus"]["query"] == (
        'max(queue{revision="{{ .revision }}",kind="slow"}[5m])'
    )
    assert (found["max"], found["interval"]) == ("100", "10s")


def test_the_metric_s_own_limits_and_parameters_count_before_the_template_s() -> None:
    seen = TemplatesSeen(own=(library(queue=QUEUE),))
    own = metric(max="7", interval="1h", parameters={"kind": 'a"b', "window": "30s"})

    [found], told = followed(seen, own)

    assert told is None
    assert r'kind="a\"b"}[30s]' in found["prometheus"]["query"]
    assert (found["max"], found["interval"]) == ("7", "1h")


def test_the_template_of_the_namespace_comes_before_the_shared_one() -> None:
    shared = library("shipped", "serinus-system", queue=QUEUE, other=QUEUE)
    own = library(queue=QUEUE.replace("max(", "min("))

    found, told = followed(TemplatesSeen((own,), (shared,)), metric(), metric("other"))

    assert told is None
    assert [one["prometheus"]["query"][:3] for one in found] == ["min", "max"]


def test_the_pod_that_is_paid_for_is_that_of_the_revision() -> None:
    text = "description: d\nquery: vector({{ .podCpuCores }} + {{ .podMemoryGib }})\nmax: '9'\n"
    seen = TemplatesSeen(own=(library(queue=text),))

    [found], _ = followed(seen, metric(parameters={}))
    _, told = followed(seen, metric(parameters={}), pod={"spec": {"containers": [{}]}})

    assert found["prometheus"]["query"] == "vector(1.5 + 1.5)"
    assert "set `cpu` and `memory` in spec.server.resources.requests" in (told or "")


UNUSABLE = [
    ("no such template", {"template": "qeue"}, "there is no template `qeue`; known are: queue"),
    ("no YAML", {"text": "a: [b"}, "template `queue` of ConfigMap `flights/ours` is no YAML"),
    ("an alias", {"text": "a: &x 1\nb: *x"}, "YAML aliases aren't read"),
    ("no mapping", {"text": "just words"}, "the text: Input should be"),
    ("a slip", {"text": QUEUE + "maximum: 3\n"}, "maximum: Extra inputs"),
    ("no limit", {"text": QUEUE.replace("max: 100", "")}, "has no limit of its own"),
    ("no such parameter", {"parameters": {"kid": "x"}}, "no parameter `kid`; known are: kind"),
    ("a parameter is missing", {"parameters": {}}, "needs the parameter `kind` (text)"),
    (
        "a parameter that would be PromQL",
        {"parameters": {"kind": "x", "window": "5m]) or vector(0"}},
        "parameter `window`: `5m]) or vector(0` is no duration",
    ),
    ("a parameter with a placeholder", {"parameters": {"kind": "{{ .revision }}"}}, "is no text"),
    ("a name that is taken", {"text": QUEUE.replace("kind", "revision")}, "`revision` is taken"),
    (
        "an unknown placeholder",
        {"text": QUEUE.replace(".window", ".widow")},
        "`{{ .widow }}` is none of its parameters",
    ),
    ("too long", {"text": QUEUE + "#" * 16_384}, "at most 16384"),
    ("a query that grows too long", {"text": QUEUE.replace("max(", "max(" + " " * 4090),
                                     "parameters": {"kind": "x" * 200}}, "4096"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "then"), [row[1:] for row in UNUSABLE], ids=[row[0] for row in UNUSABLE]
)
def test_what_can_t_be_used_is_said_with_metric_template_and_place(
    given: dict[str, Any], then: str
) -> None:
    told = problem(**given)

    assert told.startswith("spec.analysis.metrics[0].templateRef (metric `m`): ")
    assert then in told


def test_two_of_one_name_in_a_namespace_have_no_order() -> None:
    twice = (library("a", queue=QUEUE), library("b", queue=QUEUE))

    _, told = followed(TemplatesSeen(own=twice), metric())

    assert "ConfigMaps `flights/a` and `flights/b` both have a template `queue`" in (told or "")


def test_all_queries_together_have_room_in_status() -> None:
    seen = TemplatesSeen(own=(library(queue=QUEUE.replace("max(", "max(" + " " * 3900)),))

    _, told = followed(seen, *(metric() for _ in range(5)))

    assert "characters together; at most 16384" in (told or "")


def test_what_isn_t_looked_at_stays_a_reference() -> None:
    given = Analysis.model_validate({"metrics": [metric()]})

    assert templated(given, None, POD).analysis is given
    assert refers_to_library(given)
    assert not refers_to_library(None)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_shipped_template_can_be_used(path: Path) -> None:
    seen = TemplatesSeen(shared=(TemplateMap("s", "shipped", {path.stem: path.read_text()}),))
    prices = {"cpuCoreHour": "0.04", "memoryGibHour": "0.005"}
    parameters = prices if path.stem == "cost-per-1000" else {}

    _, told = followed(seen, metric(path.stem, parameters=parameters, max="1"))

    assert told is None
