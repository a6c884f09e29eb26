"""`lint -f FILE`: what Helm, GitOps tools and old API servers would drop without a word.

Offline: unknown fields (with the likely name), wrong types, values outside their bounds, and what
the operator itself would stall on in a Deployment. Other rules between fields are CEL and run in
the API server: `kubectl apply --dry-run=server -f FILE`.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from serinus.api.deployment import Deployment
from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.api.structural_schema import DEFINITIONS, KindDefinition
from serinus.cli.errors import ExitCode
from serinus.cli.lint_words import said_of
from serinus.cli.manifest_files import is_ours, placed_manifests_in
from serinus.cli.session import Session
from serinus.reconcile.deployment_validation import spec_problem

_BY_KIND = {definition.kind: definition for definition in DEFINITIONS}


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Check each manifest of each file or folder."""
    findings, checked = 0, 0
    for filename in arguments.filename:
        for where, manifest in placed_manifests_in(filename):
            if not is_ours(manifest):
                continue
            checked += 1
            for finding in problems(manifest):
                findings += 1
                session.console.print(f"{where}: {finding}", soft_wrap=True)
    session.console.print(f"manifests of Serinus checked: {checked}; problems: {findings}")
    if not findings and checked:
        session.console.print("rules between fields: kubectl apply --dry-run=server -f …")
    return ExitCode.BAD if findings else ExitCode.OK


def problems(manifest: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a manifest of ours, a line each: where, what, what to do."""
    word = manifest.get("kind")
    if manifest["apiVersion"] != API_VERSION:
        yield f"apiVersion: `{manifest['apiVersion']}` is none of ours; write `{API_VERSION}`"
        return
    if word not in {kind.value for kind in Kind}:
        yield f"kind: `{word}` is unknown{_likely(str(word), [kind.value for kind in Kind])}"
        return
    definition = _BY_KIND[Kind(word)]
    name = (manifest.get("metadata") or {}).get("name", "")
    about = f"{word} {name}: "
    for finding in (*_name_problems(name, definition), *_spec_problems(manifest, definition)):
        yield f"{about}{finding}"


def _name_problems(name: str, definition: KindDefinition) -> Iterator[str]:
    longest = definition.name_max_length
    if not name:
        yield "metadata.name: missing"
    elif len(name) > longest:
        yield f"metadata.name: {len(name)} characters; at most {longest}, so that children fit"


def _spec_problems(manifest: dict[str, Any], definition: KindDefinition) -> Iterator[str]:
    known = {"apiVersion", "kind", "metadata", "spec", "status"}
    for field in manifest.keys() - known:
        yield f"{field}: unknown field{_likely(field, known)}"
    spec = manifest.get("spec")
    model = definition.model
    if isinstance(spec, dict):
        yield from _unknown_fields(spec, model.model_fields["spec"].annotation, "spec")
    try:
        parsed = model.model_validate({"spec": spec, "metadata": {}})
    except ValidationError as error:
        for one in error.errors():
            yield f"{_path(one['loc'])}: {said_of(one)}"
        return
    if isinstance(parsed, Deployment):
        name = (manifest.get("metadata") or {}).get("name", "")
        if problem := spec_problem(name, parsed.spec):
            yield problem


def _unknown_fields(value: Any, annotation: Any, path: str) -> Iterator[str]:
    model = _model_in(annotation)
    if model is None:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_fields(item, model, f"{path}[{index}]")
    elif isinstance(value, dict) and _is_mapping(annotation):
        for key, item in value.items():
            yield from _unknown_fields(item, model, f"{path}.{key}")
    elif isinstance(value, dict):
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        for key, item in value.items():
            if key not in fields:
                yield f"{path}.{key}: unknown field{_likely(str(key), list(fields))}"
            else:
                yield from _unknown_fields(item, fields[key].annotation, f"{path}.{key}")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that the annotation is, or is a list, mapping or option of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _is_mapping(annotation: Any) -> bool:
    if getattr(annotation, "__origin__", None) is dict:
        return True
    return any(_is_mapping(part) for part in get_args(annotation))


def _likely(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; is it `{close[0]}`?" if close else f"; known are {', '.join(sorted(known))}"


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
