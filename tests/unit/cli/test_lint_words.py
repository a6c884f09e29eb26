"""What lint says of a value that a schema refuses: what is wanted, not the schema's own words."""

import pytest
import yaml

from serinus.cli.lint import problems

DEPLOYMENT = """\
apiVersion: serinus.dev/v1alpha1
kind: Deployment
metadata: {name: delay}
spec:
  model: {versionRef: {name: delay-1}}
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "  analysis: {warmup: 5 minutes}\n",
            (
                "spec.analysis.warmup: write a length of time such as 30s, 5m or 1h30m "
                "(given: `5 minutes`)"
            ),
        ),
        (
            "  analysis: {falseRollbackRate: 0.01}\n",
            "spec.analysis.falseRollbackRate: should be text: write it in quotes (given: `0.01`)",
        ),
        (
            '  analysis: {falseRollbackRate: "2"}\n',
            (
                "spec.analysis.falseRollbackRate: write a number from 0 to 1 in quotes, "
                'such as "0.01" (given: `2`)'
            ),
        ),
        (
            "  server: {resources: {limits: {memory: 1GB}}}\n",
            (
                "spec.server.resources.limits.memory: write a quantity of Kubernetes "
                "such as 500m, 2 or 1Gi (given: `1GB`)"
            ),
        ),
        (
            "  strategy: blue\n",
            "spec.strategy: should hold fields, not a single value (given: `blue`)",
        ),
        (
            "  traffic: {gatewayAPI: {}}\n",
            "spec.traffic.gatewayAPI.parentRefs: is missing",
        ),
        (
            "  replicas: many\n",
            (
                "spec.replicas: Input should be a valid integer, "
                "unable to parse string as an integer (given: `many`)"
            ),
        ),
    ],
)
def test_a_refused_value(line: str, said: str) -> None:
    assert list(problems(yaml.safe_load(DEPLOYMENT + line))) == [f"Deployment delay: {said}"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            (
                "  analysis: {metrics: [{name: slow, template: slow-requests, latency: 37ms, "
                "compareTo: stable}]}\n"
            ),
            "use `25ms` or `50ms`",
        ),
        (
            "  strategy: {canary: {steps: []}, promotionWindows: [{timeZone: Europe/Amsterdm}]}\n",
            "`Europe/Amsterdm` is no time zone",
        ),
    ],
)
def test_what_the_operator_would_stall_on_is_told_before_it_is_applied(
    line: str, said: str
) -> None:
    (problem,) = problems(yaml.safe_load(DEPLOYMENT + line))

    assert said in problem
