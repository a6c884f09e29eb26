"""How a pod judges labels: when an answer is wrong, and by which scores it is counted.

The rules are those of the pod's revision, and fixed while it lives. Only what fits the task of its
model is in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serinus.api.label_scores import BRIER, LabelScore, ScoreName
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.server.bounded_scores import (
    absolute_error_share,
    brier_share,
    log_loss_share,
    pinball_share,
    squared_error_share,
)

_OF_CLASSES = (ScoreName.BRIER, ScoreName.LOG_LOSS)


@dataclass(frozen=True, slots=True)
class LabelRules:
    """What is in force.

    An answer of a regression that is further from its label than `wrong_beyond` is wrong; None
    where there is no such rule. A label has a loss for each of the `scores`, in their order.
    """

    wrong_beyond: str | None = None
    scores: tuple[LabelScore, ...] = ()

    def is_right(self, answer: float, label: float) -> bool:
        """Whether an answer of a regression is."""
        assert self.wrong_beyond is not None
        return abs(label - answer) <= float(self.wrong_beyond)

    def losses_of_value(self, answer: float, label: float) -> tuple[float, ...]:
        """Of an answer of a regression."""
        return tuple(_of_value(score, answer, label) for score in self.scores)

    def losses_of_classes(self, probabilities: FloatArray, position: int) -> tuple[float, ...]:
        """Of the probabilities (n_classes,) of a row, whose label has that position."""
        return tuple(_of_classes(score, probabilities, position) for score in self.scores)


def rules_in_force(
    *, classification: bool, wrong_beyond: str | None, scores: Sequence[LabelScore]
) -> LabelRules:
    """The rules of a model, of all that the Deployment says; Brier always holds for classes."""
    if classification:
        return LabelRules(None, (BRIER, *(one for one in scores if one.score in _OF_CLASSES)))
    if wrong_beyond is None:
        return LabelRules()
    return LabelRules(wrong_beyond, tuple(one for one in scores if one.score not in _OF_CLASSES))


def without_use(
    rules: LabelRules, *, wrong_beyond: str | None, scores: Sequence[LabelScore]
) -> tuple[str, ...]:
    """Names of what the Deployment says and isn't in force, since it doesn't fit the model."""
    unused = [one.score.value for one in scores if one not in rules.scores]
    return (*(["wrongBeyond"] if wrong_beyond != rules.wrong_beyond else []), *unused)


def _of_classes(score: LabelScore, probabilities: FloatArray, position: int) -> float:
    if score == BRIER:
        return brier_share(probabilities, position)
    assert score.score is ScoreName.LOG_LOSS
    return log_loss_share(probabilities, position, bound=float(score.bound))


def _of_value(score: LabelScore, answer: float, label: float) -> float:
    bound = float(score.bound)
    match score.score:
        case ScoreName.ABSOLUTE_ERROR:
            return absolute_error_share(answer, label, bound=bound)
        case ScoreName.SQUARED_ERROR:
            return squared_error_share(answer, label, bound=bound)
        case ScoreName.PINBALL:
            quantile = float(score.quantile)
            return pinball_share(answer, label, quantile=quantile, bound=bound)
        case _:
            raise AssertionError(score)  # of classes, and never in force here
