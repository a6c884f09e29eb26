"""Which rows train and which evaluate.

By time where there is one, because a model is asked about a future that it wasn't trained on. A
training row also needs a label that was known by the cutoff: what came out later, nobody could
have learnt from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from serinus.api.quantities import parse_decimal
from serinus.api.trainingjob import Split, SplitType
from serinus_runtime.user_error import ColumnError, TrainerError

DEFAULT_TEST_FRACTION = 0.25
_HASH_BITS = 64


@dataclass(frozen=True, slots=True)
class SplitRows:
    """Masks of the rows that train and evaluate; `late_labels` rows do neither.

    `late_labels` counts rows before the cutoff whose label became known after it.
    """

    training: pl.Series
    evaluation: pl.Series
    late_labels: int = 0

    @property
    def counts(self) -> tuple[int, int]:
        """How many rows train and evaluate."""
        return int(self.training.sum()), int(self.evaluation.sum())


def split_rows(
    frame: pl.DataFrame,
    split: Split | None,
    *,
    timestamp_field: str | None,
    label_known_field: str | None,
    seed: int,
) -> SplitRows:
    """Divide the rows of a snapshot; by time where nothing is said and there is a timestamp.

    Raises
    ------
    ColumnError, TrainerError
        A column isn't there, or one side has no row.
    """
    chosen = split or Split(type=SplitType.TIME if timestamp_field else SplitType.RANDOM)
    fraction = DEFAULT_TEST_FRACTION
    if chosen.test_fraction is not None:
        fraction = parse_decimal(chosen.test_fraction)
    match chosen.type:
        case SplitType.TIME:
            rows = _by_time(frame, chosen.cutoff, fraction, timestamp_field, label_known_field)
        case SplitType.GROUP:
            rows = _by_group(frame, chosen.group_field, fraction, seed)
        case SplitType.RANDOM:
            rows = _by_chance(frame.height, fraction, seed)
    training, evaluation = rows.counts
    if not training or not evaluation:
        side = "trains" if not training else "evaluates"
        raise TrainerError(
            f"split: no row {side} ({training} train, {evaluation} evaluate). "
            "Choose another cutoff or testFraction"
        )
    return rows


def _by_time(
    frame: pl.DataFrame,
    cutoff: str | None,
    fraction: float,
    timestamp_field: str | None,
    label_known_field: str | None,
) -> SplitRows:
    if timestamp_field is None:
        raise ColumnError("split: `type: time` needs a FeatureSet with `timestampField`")
    times = frame[timestamp_field]
    moment = _moment(cutoff) if cutoff else times.quantile(1.0 - fraction, "nearest")
    before = (times < moment).fill_null(False)
    evaluation = (times >= moment).fill_null(False)
    if label_known_field is None:
        return SplitRows(before, evaluation)
    in_time = (frame[label_known_field] <= moment).fill_null(True)
    return SplitRows(before & in_time, evaluation, int((before & ~in_time).sum()))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TrainerError(
            f"split.cutoff: `{text}` is no time such as `2013-10-01T00:00:00Z`"
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _by_group(
    frame: pl.DataFrame, group_field: str | None, fraction: float, seed: int
) -> SplitRows:
    if group_field is None or group_field not in frame.columns:
        raise ColumnError(
            f"split.groupField: no column `{group_field}` in the snapshot; it has "
            f"{', '.join(frame.columns[:12])}"
        )
    groups = frame[group_field].cast(pl.String).fill_null("")
    values = groups.unique().to_list()
    evaluates = [value for value in values if _share(value, seed) < fraction]
    evaluation = groups.is_in(evaluates)
    return SplitRows(~evaluation, evaluation)


def _share(value: str, seed: int) -> float:
    """Number in [0, 1) that depends on the group and the seed only, not on other groups."""
    content = hashlib.sha256(f"{seed}:{value}".encode()).digest()
    return int.from_bytes(content[: _HASH_BITS // 8], "big") / 2.0**_HASH_BITS


def _by_chance(rows: int, fraction: float, seed: int) -> SplitRows:
    order = np.random.default_rng(seed).permutation(rows)
    mask = np.zeros(rows, dtype=bool)
    mask[order[: round(rows * fraction)]] = True
    return SplitRows(pl.Series(~mask), pl.Series(mask))
