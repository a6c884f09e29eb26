"""Documents say what is so: files, rules, reasons, commands and manifests that they name exist."""

import argparse
import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.api.enums import Reason
from serinus.cli.arguments import parser
from serinus.cli.lint import problems
from serinus_runtime.user_error import UserError

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "operator" / "docs"
PAGES = (*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "SECURITY.md")
RUNBOOKS = sorted((DOCS / "runbooks").glob("*.md"))

# Reasons that ask nobody to do anything; all others have a page.
AS_IT_SHOULD_BE = {
    Reason.PROGRESSING,
    Reason.SUCCEEDED,
    Reason.REQUEST_HANDLED,
    Reason.SNAPSHOT_CREATED,
    Reason.SNAPSHOT_UNCHANGED,
    Reason.RUN_STARTED,
    Reason.MODEL_VERSION_CREATED,
    Reason.VERIFYING,
    Reason.VERIFIED,
    Reason.APPROVED,
    Reason.NOT_REQUIRED,
    Reason.MODEL_RESOLVED,
    Reason.FIRST_REVISION,
    Reason.FIRST_REVISION_SAFE,
    Reason.ROLLOUT_STARTED,
    Reason.STEP_STARTED,
    Reason.PROMOTED,
    Reason.PROMOTED_BY_USER,
    Reason.WITHIN_ROLLBACK_WINDOW,
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^ *```{language}\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE
    )


def test_each_reason_for_which_somebody_acts_has_a_runbook_and_no_other() -> None:
    of_runs = {error.reason for error in UserError.__subclasses__()}

    assert {page.stem for page in RUNBOOKS} == of_runs | {
        reason.value for reason in Reason if reason not in AS_IT_SHOULD_BE
    }


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_runbook_says_what_first_how_to_end_it_and_who_decides(page: Path) -> None:
    text = page.read_text()

    assert text.startswith(f"# {page.stem}\n\n")
    assert "\n**First command**\n\n```\nkubectl " in text
    assert "\n**How to end it**\n" in text
    assert text.splitlines()[-1].startswith("Decided in `")


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_the_rules_that_a_runbook_names_are_in_their_files(page: Path) -> None:
    last = page.read_text().splitlines()[-1]
    named = re.findall(r"`([\w/]+\.py)`(?: \(`(\w+)`\))?", last)

    assert named
    for path, function in named:
        tree = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

        assert not function or function in functions, f"{path} has no {function}"


def test_each_rule_that_moves_traffic_is_named_by_the_runbook_of_its_reason() -> None:
    tables = {"rollback.py": "ROLLBACK_RULES", "hold.py": "HOLD_RULES", "start.py": "START_RULES"}
    for module, table in tables.items():
        path = f"operator/serinus/rollout/{module}"
        source = (ROOT / path).read_text()
        body = source[source.index(f"{table}:") :]
        rules = re.findall(r"^    (\w+),", body[: body.index("\n)")], re.MULTILINE)

        assert rules
        for rule in rules:
            page = DOCS / "runbooks" / f"{Reason[rule.upper()]}.md"
            assert f"`{path}` (`{rule}`)" in page.read_text(), f"{page.name} doesn't name {rule}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text())

    assert not [link for link in links if not (page.parent / link).exists()]


def headings(page: Path) -> set[str]:
    """What a link can lead to in a page, in the words of GitHub."""
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_to_a_heading_finds_it(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#\s]*)#([^)\s]+)\)", page.read_text())

    for path, heading in links:
        target = page.parent / path if path else page
        assert heading in headings(target), f"{path}#{heading}"


def fields_of(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Paths of all fields, without list indices: `.spec.strategy.canary.steps.setWeight`."""
    yield path
    for name, member in schema.get("properties", {}).items():
        yield from fields_of(member, f"{path}.{name}")
    if "items" in schema:
        yield from fields_of(schema["items"], path)
    if "additionalProperties" in schema:
        yield f"{path}.*"


def fields_of_our_kinds() -> set[str]:
    documents = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")]
    schemas = [one["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for one in documents]
    return {path for schema in schemas for path in fields_of(schema)}


def test_each_field_of_spec_and_status_that_is_named_exists() -> None:
    known = fields_of_our_kinds()
    foreign = {"status.supportedFeatures", "status.parents"}  # of the Gateway API
    for page in PAGES:
        spans = re.findall(r"`\.?((?:spec|status)\.[\w.\[\]]+)", page.read_text())
        named = {re.sub(r"\[\w*\]", "", span).rstrip(".") for span in spans} - foreign
        of_free_maps = {one for one in named if f".{one.rpartition('.')[0]}.*" in known}

        assert not [one for one in named - of_free_maps if f".{one}" not in known], page.name


def test_each_jsonpath_leads_to_a_field() -> None:
    known = fields_of_our_kinds()
    for page in PAGES:
        for line in re.findall(
            r"kubectl get (?:mdep|modelversion|KIND) .*jsonpath=.*", page.read_text()
        ):
            for path in re.findall(r"\{(\.[\w.]+)\}", line):
                assert path in known, f"{page.name}: {path}"


def test_each_metric_that_is_named_exists() -> None:
    sources = (*(ROOT / "operator").rglob("*.py"), *(ROOT / "serving").rglob("*.py"))
    text = "\n".join(path.read_text() for path in sources)
    for page in PAGES:
        named = set(re.findall(r"\bserinus_[a-z_]+[a-z]\b(?![/.])", page.read_text()))
        bare = {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}

        assert not [name for name in bare if not re.search(rf"\b{name}\b", text)], page.name


def test_each_flag_of_each_command_is_in_the_reference() -> None:
    sections = (DOCS / "reference" / "command-line.md").read_text().split("\n### ")[1:]
    page = {section.split("\n")[0]: section for section in sections}
    (verbs,) = (
        one.choices.items()
        for one in parser("kubectl serinus")._actions
        if isinstance(one, argparse._SubParsersAction)
    )
    everywhere = {"--help", "-h", "-n", "--namespace", "--context", "--kubeconfig", "--as"}
    for verb, command in verbs:
        flags = {flag for action in command._actions for flag in action.option_strings}
        missing = [one for one in flags - everywhere if f"`{one}`" not in page[verb]]

        assert missing in ([], ["--no-color"]), verb
        assert "%(" not in page[verb]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_path_of_the_repository_exists(page: Path) -> None:
    roots = "operator/serinus|operator/docs|serving|crds|charts|tests|hack"
    named = re.findall(rf"(?<![\w/.])((?:{roots})/[\w./-]*\w)", page.read_text())

    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_command_of_the_plugin_is_understood(page: Path) -> None:
    text = page.read_text()
    spans = chain(
        re.findall(r"`((?:kubectl )?serinus [^`\n]+)`", text),
        re.findall(r"^ *((?:kubectl )?serinus [^\n]+)", "\n".join(code_blocks(page, "")), re.M),
    )
    for span in spans:
        words = re.sub(r"(kubectl )?serinus ", "", span.split(" #")[0], count=1)
        arguments = re.findall(r'"[^"]*"|\[[^]]*\] |\S+', words)
        if len(arguments) > 1:  # a verb alone is mentioned, not shown
            parser("kubectl serinus").parse_args([one for one in arguments if one[0] != "["])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_manifest_has_no_problems(page: Path) -> None:
    for block in code_blocks(page, "yaml"):
        for manifest in yaml.safe_load_all(block):
            assert not list(problems(manifest))


def test_the_readme_begins_with_one_sentence_and_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()

    assert code_blocks(ROOT / "README.md", "")[0] == "hack/demo\nhack/test\n"
    assert text.split("\n\n")[1].count(". ") <= 1
