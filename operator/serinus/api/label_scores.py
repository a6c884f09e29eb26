"""How labels are counted by a pod, and of how many cohorts: the contract of operator and server.

The operator tells the pods in `SERINUS_FEEDBACK_SCORES`; the server's losses bear what is here as
labels, and the operator's queries select by them. So the text of a number has one form. Only the
standard library is used, because the server reads it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

COHORTS_KEPT = 64
"""A pod exports what it counted of so many of its newest cohorts."""

_DECIMAL = re.compile(r"\+?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


class ScoreName(StrEnum):
    """Score of a prediction against its label, as a fraction of its bound."""

    BRIER = "brier"
    LOG_LOSS = "logLoss"
    ABSOLUTE_ERROR = "absoluteError"
    SQUARED_ERROR = "squaredError"
    PINBALL = "pinball"


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A score that is counted, as a share of its bound.

    `bound` and `quantile` are canonical decimals, empty where the score has none.
    """

    score: ScoreName
    bound: str = ""
    quantile: str = ""

    def labels(self) -> dict[str, str]:
        """The labels that tell its losses from others; none is empty."""
        told = {"score": self.score.value, "bound": self.bound, "quantile": self.quantile}
        return {name: text for name, text in told.items() if text}


BRIER = LabelScore(ScoreName.BRIER)
"""What labels of classifications are always counted by; its worst is 1."""


def canonical_decimal(text: str) -> str:
    """The one text of all that stand for a number: `60` for `60.0` and `6e1`.

    Raises
    ------
    ValueError
        If `text` isn't a decimal number above 0 that a 64-bit float holds.
    """
    if not _DECIMAL.fullmatch(text) or not 0 < float(text) < math.inf:
        raise ValueError(f"expected a decimal number above 0, got {text!r}")
    return f"{Decimal(text).normalize():f}"


def scores_text(scores: Sequence[LabelScore]) -> str:
    """The scores as pods are told of them, in this order."""
    return json.dumps([one.labels() for one in scores], separators=(",", ":"))


def parsed_scores(text: str) -> tuple[LabelScore, ...]:
    """The scores of a text; raises `ValueError` that says what doesn't fit."""
    listed = json.loads(text)
    if not isinstance(listed, list):
        raise ValueError("expected a list of scores")  # noqa: TRY004 (a text that is wrong)
    scores = tuple(_parsed(one) for one in listed)
    if len(set(scores)) < len(scores):
        raise ValueError("expected each score once")
    return scores


def _parsed(told: object) -> LabelScore:
    if not isinstance(told, dict) or not all(type(text) is str for text in told.values()):
        raise ValueError("expected objects with texts in them")
    name = ScoreName(told.get("score", ""))
    expected = {"score", "bound"} | ({"quantile"} if name is ScoreName.PINBALL else set())
    if name is ScoreName.BRIER or told.keys() != expected:
        raise ValueError(f"expected {', '.join(sorted(expected))} of {name}, got {sorted(told)}")
    quantile = canonical_decimal(told["quantile"]) if "quantile" in told else ""
    if quantile and float(quantile) >= 1:
        raise ValueError("expected a quantile below 1")
    return LabelScore(name, canonical_decimal(told["bound"]), quantile)
