"""From values as clients send them to the matrix that a plan runs on.

The rules of data live here and only here: types, ranges, allowed values, categories, missing
values. Packaging, verification and the model server all encode with this module, so that a value
means the same wherever it comes from.

Codes: a boolean is 0 or 1, a missing value NaN, a text the position of its category, and a text
that training never saw the position one past the last.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, TypeAlias

import numpy as np

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.number_columns import NumberColumn, NumberColumns
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction, Signature

MISSING = math.nan
_LARGEST = sys.float_info.max
_SHOWN_CHARACTERS = 60
_SHOWN_TEXTS = 8
_FEW_CELLS = 16
"""Up to here one value after the other is quicker than arrays."""
_BELOW_64_BITS = -(2.0**63)
"""What JSON's reader makes of whole numbers that are too small for 64 bits, by rounding."""
_INTEGER_BOUNDS = {
    Datatype.UINT8: (0, 2**8 - 1),
    Datatype.UINT16: (0, 2**16 - 1),
    Datatype.UINT32: (0, 2**32 - 1),
    Datatype.UINT64: (0, 2**64 - 1),
    Datatype.INT8: (-(2**7), 2**7 - 1),
    Datatype.INT16: (-(2**15), 2**15 - 1),
    Datatype.INT32: (-(2**31), 2**31 - 1),
    Datatype.INT64: (-(2**63), 2**63 - 1),
}
_FLOAT_BOUNDS = {Datatype.FP16: 65504.0, Datatype.FP32: 3.4028234663852886e38}
_NARROW: Mapping[Datatype, Callable[[float], Any]] = {
    Datatype.FP16: np.float16,
    Datatype.FP32: np.float32,
}


class ValueRefused(ValueError):
    """A value doesn't fit its input: which, what is expected and what came."""

    def __init__(self, name: str, expected: str, value: Any) -> None:
        self.name = name
        self.expectation = f"expected {expected}, got {shown(value)}"
        super().__init__(f"`{name}`: {self.expectation}")


Encoder: TypeAlias = Callable[[Any], float]


@dataclass(slots=True)
class Flags:
    """How many values were used although they break a promise, and in how many rows."""

    total: int = 0
    rows: int = 0


class RowEncoder:
    """Encodes rows by the rules of a signature; `flags` counts what was let through."""

    def __init__(self, signature: Signature) -> None:
        self.flags = Flags()
        self._names = signature.names
        self._encoders = tuple(_encoder(spec, self.flags) for spec in signature.inputs)
        self._numbers = _numbers_of(signature)

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> FloatArray:
        """Matrix (n_rows, n_inputs) of rows that map names to values; absent means missing."""
        return self.cells([row.get(name) for row in rows for name in self._names], len(rows))

    def cells(self, cells: Sequence[Any], n_rows: int) -> FloatArray:
        """Matrix (n_rows, n_inputs) of values row by row, each row in the order of the inputs."""
        if self._numbers is not None and len(cells) > _FEW_CELLS:
            matrix = self._numbers.matrix(cells, n_rows)
            if matrix is not None:
                return matrix
        before = self.flags.total
        encoders = self._encoders if n_rows == 1 else cycle(self._encoders)
        codes = [encode(value) for encode, value in zip(encoders, cells, strict=False)]
        if self.flags.total != before:
            self._count_flagged_rows(cells)
        return np.array(codes).reshape(n_rows, -1)

    def _count_flagged_rows(self, cells: Sequence[Any]) -> None:
        """Look again at rows of which some value was flagged: only such requests pay for it."""
        flags, width = self.flags, len(self._encoders)
        told = flags.total
        for start in range(0, len(cells), width):
            before = flags.total
            for encode, value in zip(self._encoders, cells[start : start + width], strict=True):
                encode(value)
            flags.rows += flags.total != before
        flags.total = told


def _numbers_of(signature: Signature) -> NumberColumns | None:
    """The inputs as numbers that can be looked at together; None where one of them can't."""
    columns = []
    for spec in signature.inputs:
        if spec.datatype in (Datatype.BYTES, Datatype.BOOL, Datatype.FP16):
            return None
        promised = limits(spec)
        if promised.allowed is not None:
            return None
        columns.append(
            NumberColumn(
                *bounds_of_type(spec.datatype),
                low=promised.low,
                high=promised.high,
                is_whole=spec.datatype.is_integer,
                is_single=spec.datatype is Datatype.FP32,
            )
        )
    return NumberColumns(columns) if columns else None


def decoded_column(spec: InputSpec, codes: FloatArray) -> list[Any]:
    """Values of one column of an encoded matrix, for a library that wants them as they were."""
    missing = np.isnan(codes)
    if spec.datatype is Datatype.BYTES:
        names = (*(spec.categories or ()), unseen_name(spec))
        return [
            None if gone else names[int(code)] for code, gone in zip(codes, missing, strict=True)
        ]
    return [None if gone else float(code) for code, gone in zip(codes, missing, strict=True)]


def unseen_name(spec: InputSpec) -> str:
    """A text that is no category of the input."""
    name = "unseen"
    while name in (spec.categories or ()):
        name += "_"
    return name


def _encoder(spec: InputSpec, flags: Flags) -> Encoder:
    missing = _missing_encoder(spec, flags)
    if spec.datatype is Datatype.BYTES:
        return _text_encoder(spec, flags, missing)
    if spec.datatype is Datatype.BOOL:
        return _boolean_encoder(spec, missing)
    return _number_encoder(spec, flags, missing)


def _missing_encoder(spec: InputSpec, flags: Flags) -> Callable[[], float]:
    imputed = _code_of_constant(spec)

    def encode() -> float:
        if spec.on_missing is PolicyAction.REJECT or (
            spec.on_missing is None and not spec.nullable
        ):
            raise ValueRefused(spec.name, spec.described, None)
        if spec.on_missing is PolicyAction.FLAG:
            flags.total += 1
            return MISSING
        return imputed if spec.on_missing is PolicyAction.IMPUTE else MISSING

    return encode


def _code_of_constant(spec: InputSpec) -> float:
    if spec.constant is None:
        return MISSING
    if spec.datatype is Datatype.BYTES:
        categories = spec.categories or ()
        known = spec.constant in categories
        return float(categories.index(str(spec.constant)) if known else len(categories))
    return float(spec.constant)


def _violated(spec: InputSpec, flags: Flags, expected: str) -> Callable[[Any, float], float]:
    """What happens to a value of the right type that breaks a promise."""
    imputed = _code_of_constant(spec)

    def encode(value: Any, code: float) -> float:
        if spec.on_violation is PolicyAction.REJECT:
            raise ValueRefused(spec.name, expected, value)
        flags.total += 1
        return imputed if spec.on_violation is PolicyAction.IMPUTE else code

    return encode


@dataclass(frozen=True, slots=True)
class Limits:
    """What is promised of a number, in the numbers that its datatype holds."""

    low: float
    high: float
    allowed: frozenset[float] | None


def limits(spec: InputSpec) -> Limits:
    """Limits of an input that is a number."""
    rounded = rounding(spec.datatype)
    return Limits(
        low=-_LARGEST if spec.minimum is None else rounded(spec.minimum),
        high=_LARGEST if spec.maximum is None else rounded(spec.maximum),
        allowed=None
        if spec.allowed is None
        else frozenset(rounded(float(text)) for text in spec.allowed),
    )


def rounding(datatype: Datatype) -> Callable[[float], float]:
    """What becomes of a number that a datatype holds: training saw it with as many bits."""
    narrow = _NARROW.get(datatype)
    if narrow is None:
        return float

    def rounded(value: float) -> float:
        with np.errstate(over="ignore"):  # a limit may lie beyond the type
            return float(narrow(value))

    return rounded


def _number_encoder(spec: InputSpec, flags: Flags, missing: Callable[[], float]) -> Encoder:
    promised = limits(spec)
    low, high, allowed = promised.low, promised.high, promised.allowed
    unit = f" {spec.unit}" if spec.unit else ""
    expected = f"{_range(spec)}{unit}" if allowed is None else _one_of(spec.allowed or ())
    violated = _violated(spec, flags, expected)
    type_low, type_high = bounds_of_type(spec.datatype)
    whole = spec.datatype.is_integer
    rounded = _NARROW.get(spec.datatype, float)

    def encode(value: Any) -> float:
        kind = type(value)
        if kind is float or kind is int:
            if not type_low <= value <= type_high:  # also refuses NaN and infinity
                raise _wrong(spec, value)
            if whole and kind is float and not (value.is_integer() and value > _BELOW_64_BITS):
                raise _wrong(spec, value)
            number = float(rounded(value))
            if low <= number <= high and (allowed is None or number in allowed):
                return number
            return violated(value, number)
        if value is None:
            return missing()
        raise _wrong(spec, value)

    return encode


def bounds_of_type(datatype: Datatype) -> tuple[float, float]:
    """Smallest and largest number of a datatype."""
    if datatype.is_integer:
        return _INTEGER_BOUNDS[datatype]
    largest = _FLOAT_BOUNDS.get(datatype, _LARGEST)
    return -largest, largest


def _range(spec: InputSpec) -> str:
    if spec.minimum is None and spec.maximum is None:
        return spec.described
    if spec.minimum is None:
        return f"at most {spec.maximum:g}"
    if spec.maximum is None:
        return f"at least {spec.minimum:g}"
    return f"{spec.minimum:g} to {spec.maximum:g}"


def _boolean_encoder(spec: InputSpec, missing: Callable[[], float]) -> Encoder:
    def encode(value: Any) -> float:
        if value is True or value is False:
            return 1.0 if value else 0.0
        if value is None:
            return missing()
        raise _wrong(spec, value)

    return encode


def _text_encoder(spec: InputSpec, flags: Flags, missing: Callable[[], float]) -> Encoder:
    categories = spec.categories or ()
    codes = {text: float(code) for code, text in enumerate(categories)}
    unseen = float(len(categories))
    allowed = None if spec.allowed is None else frozenset(spec.allowed)
    violated = _violated(spec, flags, _one_of(spec.allowed or ()))
    known = _one_of(categories)
    imputed = _code_of_constant(spec)

    def encode(value: Any) -> float:
        if type(value) is not str:
            if value is None:
                return missing()
            raise _wrong(spec, value)
        if allowed is not None and value not in allowed:
            return violated(value, codes.get(value, unseen))
        code = codes.get(value)
        if code is not None:
            return code
        if spec.unseen is PolicyAction.REJECT:
            raise ValueRefused(spec.name, known, value)
        flags.total += 1
        return imputed if spec.unseen is PolicyAction.IMPUTE else unseen

    return encode


def _one_of(texts: Sequence[str]) -> str:
    some = ", ".join(texts[:_SHOWN_TEXTS])
    more = len(texts) - _SHOWN_TEXTS
    return f"one of {some}" + (f" and {more} more" if more > 0 else "")


def _wrong(spec: InputSpec, value: Any) -> ValueRefused:
    return ValueRefused(spec.name, spec.described, value)


def some_names(names: Sequence[str]) -> str:
    """Names as a message shows them: the first few."""
    return ", ".join(names[:_SHOWN_TEXTS]) + (", …" if len(names) > _SHOWN_TEXTS else "")


def shown(value: Any) -> str:
    """A value of a client as a message shows it: its kind, and its text cut short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str):
        cut = value[:_SHOWN_CHARACTERS]
        return f"the text {cut!r}" + ("…" if len(value) > _SHOWN_CHARACTERS else "")
    return "nothing" if value is None else f"{value!r}"[:_SHOWN_CHARACTERS]
