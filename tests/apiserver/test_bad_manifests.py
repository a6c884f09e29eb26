"""What kubectl and the server make of our files: examples and chart are taken, mistakes refused."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.api_server import ROOT, TOKEN, ApiServer, folder_with
from tests.support.chart import rendered

EXAMPLES = sorted((ROOT / "hack" / "examples").rglob("*.yaml"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "operator" / "docs").rglob("*.md"))]
SHOWN = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^ *```yaml\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)
    )
]
DEPLOYMENT = """
apiVersion: serinus.dev/v1alpha1
kind: Deployment
metadata: {name: wrong, namespace: default}
spec:
  model: {versionRef: {name: delay-1}}
  FIELD
"""
NOTHING_TO_JUDGE = """analysis: {metrics: []}
  strategy: {blueGreen: {}, postPromotionAnalysis: {duration: 1h}}"""
TRAINING_JOB = """
apiVersion: serinus.dev/v1alpha1
kind: TrainingJob
metadata: {name: wrong, namespace: default}
spec:
  modelName: delay
  featureSetRefs: [{name: flights}]
  label: late
  task: classification
  trainer: {sklearn: {estimator: LogisticRegression}}
  FIELD
"""


def kubectl_apply(server: ApiServer, text: str) -> subprocess.CompletedProcess[str]:
    command = [
        folder_with("kubectl") / "kubectl", "apply", "--dry-run=server", "--filename=-",
        f"--server={server.url}", f"--token={TOKEN}", "--insecure-skip-tls-verify",
        "--namespace=default", "--kubeconfig=/dev/null",
    ]  # fmt: skip
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_kubectl_apply_takes_the_example(api_server: ApiServer, path: Path) -> None:
    answer = kubectl_apply(api_server, path.read_text())

    assert answer.returncode == 0, answer.stderr
    assert "created (server dry run)" in answer.stdout


@pytest.mark.parametrize("block", SHOWN)
def test_kubectl_apply_takes_what_the_documentation_shows(
    api_server: ApiServer, block: str
) -> None:
    manifest = re.sub(r"namespace: shop\b", "namespace: default", block)
    answer = kubectl_apply(api_server, manifest)

    assert answer.returncode == 0, answer.stderr


MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "unknown field": (DEPLOYMENT, "replica: 3", ['unknown field "spec.replica"']),
    "a weight that only a gateway can give": (
        DEPLOYMENT,
        "strategy: {canary: {stepWeights: [20, 60]}}",
        ["spec: ", "`strategy.canary`: a weight above 50 needs `traffic.gatewayAPI`"],
    ),
    "the same by steps": (
        DEPLOYMENT,
        "strategy: {canary: {steps: [{setWeight: 80}]}}",
        ["spec: ", "`strategy.canary`: a weight above 50 needs `traffic.gatewayAPI`"],
    ),
    "a gateway without a name": (
        DEPLOYMENT,
        "traffic: {gatewayAPI: {parentRefs: []}}",
        ["spec.traffic.gatewayAPI.parentRefs"],
    ),
    "two routers": (
        DEPLOYMENT,
        "traffic: {replicas: {}, gatewayAPI: {parentRefs: [{name: public}]}}",
        ["spec.traffic: ", "set exactly one of `replicas`, `gatewayAPI`"],
    ),
    "both of a choice": (
        DEPLOYMENT,
        "strategy: {canary: {steps: [], stepWeights: [20]}}",
        ["spec.strategy.canary: ", "set exactly one of `steps`, `stepWeights`"],
    ),
    "none of a choice": (
        DEPLOYMENT,
        "strategy: {canary: {}}",
        ["spec.strategy.canary: ", "set exactly one of `steps`, `stepWeights`"],
    ),
    "weight out of range": (
        DEPLOYMENT,
        "strategy: {canary: {stepWeights: [101]}}",
        ["spec.strategy.canary.stepWeights[0]: ", "should be less than or equal to 100"],
    ),
    "weights that fall": (
        DEPLOYMENT,
        "strategy: {canary: {stepWeights: [50, 20]}}",
        ["spec.strategy.canary: ", "`stepWeights` must rise: each above the one before"],
    ),
    "unknown mode of an analysis": (
        DEPLOYMENT,
        "analysis: {mode: watch}",
        ["spec.analysis.mode: ", 'supported values: "observe", "pause", "auto"'],
    ),
    "two ways to release": (
        DEPLOYMENT,
        "strategy: {canary: {steps: []}, blueGreen: {}}",
        ["spec.strategy: ", "set exactly one of `canary`, `blueGreen`, `abTest`"],
    ),
    "an A/B test of nobody": (
        DEPLOYMENT,
        "strategy: {abTest: {canaryPercent: 20}}",
        ["spec.strategy.abTest.unit: ", "Required value"],
    ),
    "an A/B test of all": (
        DEPLOYMENT,
        "strategy: {abTest: {unit: {header: X-User-Id}, canaryPercent: 100}}",
        ["spec.strategy.abTest.canaryPercent: ", "should be less than or equal to 99"],
    ),
    "a preview without pods": (
        DEPLOYMENT,
        "strategy: {blueGreen: {previewReplicas: 0}}",
        ["spec.strategy.blueGreen.previewReplicas: ", "should be greater than or equal to 1"],
    ),
    "a weight above the most": (
        DEPLOYMENT,
        "strategy: {canary: {stepWeights: [20, 50], maxWeight: 30}}",
        ["spec.strategy.canary: ", "no weight may be above `maxWeight`"],
    ),
    "a look after the promotion without a time": (
        DEPLOYMENT,
        "strategy: {canary: {steps: []}, postPromotionAnalysis: {keptReplicas: 2}}",
        ["spec.strategy.postPromotionAnalysis.duration: ", "Required value"],
    ),
    "a look after the promotion at nothing": (
        DEPLOYMENT,
        NOTHING_TO_JUDGE,
        ["`strategy.postPromotionAnalysis` needs `analysis.metrics`"],
    ),
    "no such day": (
        DEPLOYMENT,
        "strategy: {canary: {steps: []}, promotionWindows: [{days: [Fri]}]}",
        ["spec.strategy.promotionWindows[0].days[0]: ", 'supported values: "Monday"'],
    ),
    "no such hour": (
        DEPLOYMENT,
        'strategy: {canary: {steps: []}, promotionWindows: [{start: "24:00"}]}',
        ["spec.strategy.promotionWindows[0].start: ", "should match"],
    ),
    "a hook that is asked nothing known": (
        DEPLOYMENT,
        "strategy: {canary: {steps: []}, hooks: [{type: event, name: board}]}",
        ["spec.strategy.hooks[0].type: ", 'supported values: "confirm-promotion", "rollback"'],
    ),
    "an address for a hook": (
        DEPLOYMENT,
        "strategy: {canary: {steps: []}, hooks: [{type: rollback, name: 'http://169.254.169.254'}]}",
        ["spec.strategy.hooks[0].name: ", "should match"],
    ),
    "an address for spans": (
        DEPLOYMENT,
        "server: {tracing: {collector: 'http://169.254.169.254'}}",
        ["spec.server.tracing.collector: ", "should match"],
    ),
    "a hook that is asked the same twice": (
        DEPLOYMENT,
        "strategy: {canary: {}, hooks: [{type: rollback, name: a}, {type: rollback, name: a}]}",
        ["spec.strategy.hooks[1]: Duplicate value"],
    ),
    "a rollback window of nothing": (
        DEPLOYMENT,
        "rollbackWindow: {revisions: 0}",
        ["spec.rollbackWindow.revisions: ", "should be greater than or equal to 1"],
    ),
    "wrong type": (DEPLOYMENT, "replicas: four", ["spec.replicas: ", "must be of type integer"]),
    "unknown metric": (
        TRAINING_JOB,
        'evaluation: {gates: [{metric: vibes, min: "1"}]}',
        ["spec.evaluation.gates[0].metric: ", 'supported values: "roc_auc", '],
    ),
}


@pytest.mark.parametrize(("manifest", "field", "told"), MISTAKES.values(), ids=MISTAKES)
def test_kubectl_shows_the_mistake(
    api_server: ApiServer, manifest: str, field: str, told: list[str]
) -> None:
    answer = kubectl_apply(api_server, manifest.replace("FIELD", field))
    kind = manifest.split("kind: ")[1].split()[0]

    assert answer.returncode == 1
    assert all(words in answer.stderr for words in told)
    assert f'The {kind} "wrong" is invalid' in answer.stderr or "unknown field" in answer.stderr


def closed(schema: Any) -> Any:
    """The server's schema as JSON Schema that refuses unknown fields."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    made = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "$ref" not in schema:
        made.setdefault("additionalProperties", False)
    return made


def schemas(server: ApiServer, folder: Path) -> None:
    """One file a kind, of what the server itself says about it."""
    definitions = server.get("/openapi/v2").body["definitions"]
    shared = closed(definitions)
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            group, version = kind["group"] or kind["version"], kind["version"]
            file = folder / f"{kind['kind'].lower()}-{group}-{version}.json"
            # Options of requests are listed under every group: no manifest is one of them.
            if not kind["kind"].endswith(("Options", "Event", "List")):
                file.write_text(
                    json.dumps({"$ref": f"#/definitions/{name}", "definitions": shared})
                )


@pytest.fixture(scope="module")
def schema_folder(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    schemas(api_server, folder)
    return folder


def kubeconform(schema_folder: Path, manifests: str) -> subprocess.CompletedProcess[str]:
    # In kubeconform's words the group of the core kinds is their version.
    file = "{{ .ResourceKind }}-{{ .Group }}-{{ .ResourceAPIVersion }}.json"
    return subprocess.run(
        [folder_with("kubeconform") / "kubeconform", "-strict", "-summary",
         f"-schema-location={schema_folder}/{file}", "-"],
        input=manifests, capture_output=True, text=True, check=False,
    )  # fmt: skip


def rendered_chart() -> str:
    return yaml.safe_dump_all(rendered())


def test_kubeconform_passes_on_the_rendered_chart(schema_folder: Path) -> None:
    manifests = rendered_chart()
    number = sum(1 for one in yaml.safe_load_all(manifests) if one)
    answer = kubeconform(schema_folder, manifests)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"{number} resources found" in answer.stdout
    assert "Skipped: 0" in answer.stdout


def test_kubeconform_sees_a_field_that_is_none(schema_folder: Path) -> None:
    manifests = rendered_chart().replace("automountServiceAccountToken:", "automountToken:")
    answer = kubeconform(schema_folder, manifests)

    assert answer.returncode == 1
    assert "automountToken" in answer.stdout
