from pathlib import Path

import pytest
import yaml

from serinus.cli.errors import CommandError
from serinus.cli.lint import problems
from tests.support.command_line import FakeCluster, commanded

EXAMPLES = Path(__file__).parents[3] / "hack" / "examples"

DEPLOYMENT = """\
apiVersion: serinus.dev/v1alpha1
kind: Deployment
metadata: {name: flight-delay}
spec:
  model: {versionRef: {name: boosted-1}}
"""


def found(text: str) -> list[str]:
    return list(problems(yaml.safe_load(text)))


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.name)
def test_examples_have_no_problems(path: Path) -> None:
    code, text = commanded(f"lint -f {path}", FakeCluster([]))

    assert code == 0, text


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("  replica: 3\n", "spec.replica: unknown field; is it `replicas`?"),
        (
            "  strategy: {canary: {steps: [{setWeigth: 20}]}}\n",
            "spec.strategy.canary.steps[0].setWeigth: unknown field; is it `setWeight`?",
        ),
        ("  replicas: many\n", "spec.replicas: Input should be a valid integer"),
        ("  replicas: -1\n", "spec.replicas: Input should be greater than or equal to 0"),
        (
            '  analysis: {falseRollbackRate: "2"}\n',
            "spec.analysis.falseRollbackRate: write a number from 0 to 1",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(line: str, problem: str) -> None:
    problems = found(DEPLOYMENT + line)

    assert problems
    assert problems[0].startswith(f"Deployment flight-delay: {problem}")


def test_a_field_outside_spec_is_told() -> None:
    assert found(DEPLOYMENT + "sepc: {}\n") == [
        "Deployment flight-delay: sepc: unknown field; is it `spec`?"
    ]


def test_keys_of_free_maps_are_not_fields() -> None:
    resources = "  server: {resources: {limits: {nvidia.com/gpu: '1'}}}\n"

    assert found(DEPLOYMENT + resources) == []


def test_a_missing_spec_is_told() -> None:
    text = "apiVersion: serinus.dev/v1alpha1\nkind: FeatureSet\nmetadata: {name: x}\n"

    assert found(text)[0].startswith("FeatureSet x: spec: ")


@pytest.mark.parametrize(
    ("was", "now", "problem"),
    [
        ("v1alpha1", "v1", "apiVersion: `serinus.dev/v1` is none of ours"),
        (
            "kind: Deployment",
            "kind: Deploymnt",
            "kind: `Deploymnt` is unknown; is it `Deployment`?",
        ),
        ("flight-delay", "f" * 41, "41 characters; at most 40"),
        ("{name: flight-delay}", "{}", "metadata.name: missing"),
    ],
)
def test_the_head_of_a_manifest_is_checked(was: str, now: str, problem: str) -> None:
    assert any(problem in one for one in found(DEPLOYMENT.replace(was, now)))


def test_what_is_not_ours_is_left_alone_and_problems_end_with_1(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    apps = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\n"
    file.write_text(apps + DEPLOYMENT + "  replica: 3\n")

    code, text = commanded(f"lint -f {file}", FakeCluster([]))

    assert code == 1
    assert f"{file}, document 2: Deployment flight-delay: spec.replica" in text
    assert text.endswith("manifests of Serinus checked: 1; problems: 1\n")


@pytest.mark.parametrize(("text", "message"), [(None, "No such file"), ("a: [", "no YAML")])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "given.yaml"
    if text is not None:
        file.write_text(text)

    with pytest.raises(CommandError, match=message):
        commanded(f"lint -f {file}", FakeCluster([]))


def test_a_folder_is_checked_as_kubectl_applies_it(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(DEPLOYMENT)
    (tmp_path / "bad.yml").write_text(DEPLOYMENT + "  replica: 3\n")
    (tmp_path / "data.csv").write_text("a: [")

    code, text = commanded(f"lint -f {tmp_path}", FakeCluster([]))

    assert code == 1
    assert f"{tmp_path / 'bad.yml'}, document 1: Deployment flight-delay: spec.replica" in text
    assert text.endswith("manifests of Serinus checked: 2; problems: 1\n")


def test_what_a_list_lists_is_checked(tmp_path: Path) -> None:
    item = yaml.safe_load(DEPLOYMENT + "  replica: 3\n")
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [item]}))

    _, text = commanded(f"lint -f {path}", FakeCluster([]))

    assert text.startswith(f"{path}, document 1, items[0]: Deployment flight-delay: spec.replica")
