"""Manifests in files, folders or on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from serinus.cli.errors import CommandError
from serinus.cli.objects import GROUP

_SUFFIXES = (".yaml", ".yml", ".json")
"""What `kubectl apply -f FOLDER` reads of a folder."""


class _KeyTwiceError(yaml.YAMLError):
    """A key stands twice in one mapping."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML's own loader drops the first silently."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                raise _KeyTwiceError(
                    f"line {line}: `{key.value}` stands in line {lines[key.value]} already; "
                    "only one of the two would count, so remove one"
                )
            lines[key.value] = line
        return node


def manifests_in(filename: str) -> list[Any]:
    """All objects of a file, or of a folder's files; `-` is standard input."""
    return [manifest for _, manifest in placed_manifests_in(filename)]


def placed_manifests_in(filename: str) -> Iterator[tuple[str, Any]]:
    """The same, each with its place; a `List` is what it lists.

    Raises
    ------
    CommandError
        If a file can't be read, or isn't YAML.
    """
    for path in _files(filename):
        for number, document in enumerate(_documents(path), start=1):
            where = f"{path}, document {number}"
            if isinstance(document, dict) and document.get("kind") == "List":
                for index, item in enumerate(document.get("items") or ()):
                    yield f"{where}, items[{index}]", item
            else:
                yield where, document


def _files(filename: str) -> list[str]:
    folder = Path(filename)
    if not folder.is_dir():
        return [filename]
    found = sorted(str(path) for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if not found:
        raise CommandError(f"{filename}: no file with the ending {', '.join(_SUFFIXES)} in it")
    return found


def _documents(filename: str) -> list[Any]:
    try:
        text = sys.stdin.read() if filename == "-" else Path(filename).read_text(encoding="utf-8")
        return [one for one in yaml.load_all(text, _Loader) if one is not None]
    except OSError as error:
        raise CommandError(f"{filename}: {error.strerror}") from error
    except _KeyTwiceError as error:
        raise CommandError(f"{filename}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{filename}: no YAML: {error}") from error


def is_ours(manifest: Any) -> bool:
    """Whether it is an object of our API group."""
    return isinstance(manifest, dict) and str(manifest.get("apiVersion", "")).startswith(
        f"{GROUP}/"
    )
