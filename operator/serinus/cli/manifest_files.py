"""Manifests in files or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from serinus.cli.errors import CommandError
from serinus.cli.objects import GROUP


def manifests_in(filename: str) -> list[Any]:
    """All documents of a file; `-` is standard input.

    Raises
    ------
    CommandError
        If it can't be read, or isn't YAML.
    """
    try:
        text = sys.stdin.read() if filename == "-" else Path(filename).read_text(encoding="utf-8")
        return [one for one in yaml.safe_load_all(text) if one is not None]
    except OSError as error:
        raise CommandError(f"{filename}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{filename}: no YAML: {error}") from error


def is_ours(manifest: Any) -> bool:
    """Whether it is an object of our API group."""
    return isinstance(manifest, dict) and str(manifest.get("apiVersion", "")).startswith(
        f"{GROUP}/"
    )
