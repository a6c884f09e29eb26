"""`-o json` and `-o yaml`."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

FORMATS = ("json", "yaml")


def print_data(console: Console, data: Any, output: str) -> None:
    """Write data for another program: nothing is wrapped, cut or coloured."""
    console.print(_formatted(data, output), end="", soft_wrap=True, style=None)


def _formatted(data: Any, output: str) -> str:
    if output == "yaml":
        import yaml

        text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        return text
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
