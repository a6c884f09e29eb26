"""What a person is told of a value that a schema refuses: what is wanted, and how it is written."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import StringConstraints

from serinus.api import quantities

_WANTED = {
    quantities.Duration: "a length of time such as 30s, 5m or 1h30m",
    quantities.Offset: "a length of time such as 30s or -60m",
    quantities.DecimalText: 'a number in quotes, such as "0.01"',
    quantities.FractionText: 'a number from 0 to 1 in quotes, such as "0.01"',
    quantities.PositiveText: 'a number above 0 in quotes, such as "1.5"',
    quantities.QuantileText: 'a number between 0 and 1 in quotes, such as "0.9"',
    quantities.QuantityText: "a quantity of Kubernetes such as 500m, 2 or 1Gi",
}


def _pattern_of(text: Any) -> str:
    (constraints,) = (one for one in get_args(text) if isinstance(one, StringConstraints))
    return str(constraints.pattern)


_BY_PATTERN = {_pattern_of(text): words for text, words in _WANTED.items()}


def said_of(error: Any) -> str:
    """A sentence about one error of pydantic, with the value that was given where it is short."""
    return f"{_sentence(error)}{_given(error.get('input'))}"


def _sentence(error: Any) -> str:
    context = error.get("ctx") or {}
    match error["type"]:
        case "string_pattern_mismatch" if context["pattern"] in _BY_PATTERN:
            return f"write {_BY_PATTERN[context['pattern']]}"
        case "string_type":
            return "should be text: write it in quotes"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "should hold fields, not a single value"
        case "missing":
            return "is missing"
    return str(error["msg"])


def _given(value: object) -> str:
    plain = isinstance(value, str | int | float | bool)
    return f" (given: `{value}`)" if plain else ""
