"""Documents say what is so: files, rules, reasons, commands and manifests that they name exist."""

import ast
import re
from itertools import chain
from pathlib import Path

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
