"""Usual requests of the Open Inference Protocol answered in C: JSON in, JSON out.

The C code checks requests and nothing else: only `server.usual_tensors` makes the tables.
"""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.gather_kernel import Gathering
from serinus_runtime.kernel.library import library, short_calls
from serinus_runtime.kernel.plan_kernel import PlanKernel
from serinus_runtime.kernel.powers_of_ten import powers

CELLS_MAX = 2048
"""Values of all rows of a request."""
ANSWERS_MAX = 4096
OUT_MAX_BYTES = 256 << 10
SHORT_BYTES = 1024
"""Up to here a request has few rows; of a longer one other threads needn't await the end."""
_ANSWER, _ANSWER_AND_LOG = "serinus_tensors_answer", "serinus_tensors_answer_and_log"
_FUNCTIONS = (_ANSWER, _ANSWER_AND_LOG, "serinus_tensors_log", "serinus_gathered")
_SEAL_STATES_BYTES = 64
_KEY_BYTES = 64

COLUMN = np.dtype(
    [
        ("name", np.int64),
        ("first_text", np.int64),
        ("type_low", np.float64),
        ("type_high", np.float64),
        ("low", np.float64),
        ("high", np.float64),
        ("kind", np.int32),
        ("nullable", np.int32),
        ("n_texts", np.int32),
        ("reserved", np.int32),
    ]
)
"""`column` in tensors.c."""

TEXT = np.dtype([("begin", np.int64), ("size", np.int64), ("code", np.float64)])
"""`text` in tensors.c."""


class ColumnKind(IntEnum):
    """How a column's values are written."""

    FLOAT = 0
    SINGLE = 1
    WHOLE = 2
    BOOLEAN = 3
    TEXT = 4


class BinsKind(IntEnum):
    """Where a prediction is counted."""

    CLASSES = 0
    TENTHS = 1
    POWERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class TensorTables:
    """A model's requests and answers as tensors.c knows them.

    Attributes
    ----------
    columns
        Of `COLUMN`; their names and categories are places in `texts`.
    texts, letters
        Of `TEXT`, and the bytes into which they point; categories of a column follow each other
        in the order of their bytes.
    fragments, labels, datatypes
        Of `TEXT`: the answer's text around what varies, the classes as JSON, known datatypes.
    places
        Bin of each class.
    threshold
        From which probability on the second of two classes is answered; NaN: the likelier.
    told_width, revision, tag, key
        What prediction ids tell and are sealed with.
    """

    columns: NDArray[Any]
    texts: NDArray[Any]
    letters: bytes
    fragments: NDArray[Any]
    labels: NDArray[Any]
    datatypes: NDArray[Any]
    places: NDArray[np.int32]
    bins: BinsKind
    width: int
    classes: int
    told_width: int
    threshold: float
    rows_max: int
    revision: bytes
    tag: bytes
    key: bytes


class _Answering(ctypes.Structure):
    """`answering` in tensors.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (
            "columns", "texts", "letters", "plan", "powers", "seal", "gathering", "fragments",
            "labels", "datatypes", "places", "rows", "answers", "decided", "bins", "seen", "out",
        )),
        *((name, ctypes.c_int64) for name in (
            "n_columns", "cells_max", "answers_max", "out_max", "rows_max",
            "n_rows", "id_begin", "id_size", "at_ms",
        )),
        ("threshold", ctypes.c_double),
        ("revision", ctypes.c_uint8 * 5),
        ("tag", ctypes.c_uint8 * 4),
        *((name, ctypes.c_int32) for name in (
            "width", "classes", "told_width", "bins_kind", "n_datatypes",
        )),
    )  # fmt: skip


class TensorKernel:
    """Answers requests to one model; `tensor_kernel` makes it. For one thread."""

    def __init__(
        self,
        short: ctypes.PyDLL,
        long: ctypes.CDLL,
        tables: TensorTables,
        plan: PlanKernel,
        seal: Any,
    ) -> None:
        self._library = short
        self._short, self._long = (_answering_in(one, _ANSWER) for one in (short, long))
        self._gathering: Gathering | None = None
        self.unlogged = False
        """Whether the last answer is still to be gathered, if answers are."""
        self._out = ctypes.create_string_buffer(OUT_MAX_BYTES)
        self._rows = np.empty(CELLS_MAX)
        self._answers = np.empty(ANSWERS_MAX)
        self._decided = np.empty(CELLS_MAX, dtype=np.int32)
        bins = (ctypes.c_int32 * CELLS_MAX)()
        self._bins = bins
        self._n_columns, self._width = len(tables.columns), tables.width
        self._is_classification = tables.classes > 0
        seen = np.empty(self._n_columns, dtype=np.uint8)
        letters = np.frombuffer(tables.letters, dtype=np.uint8)
        arrays = {
            "columns": tables.columns, "texts": tables.texts, "letters": letters,
            "powers": powers(), "fragments": tables.fragments, "labels": tables.labels,
            "datatypes": tables.datatypes, "places": tables.places, "rows": self._rows,
            "answers": self._answers, "decided": self._decided, "seen": seen,
        }  # fmt: skip
        # The structure holds addresses: what is there lives as long as it does.
        self._kept = (arrays, plan, seal)
        self._state = _Answering(
            **{name: array.ctypes.data for name, array in arrays.items()},
            plan=plan.address,
            seal=ctypes.addressof(seal),
            bins=ctypes.addressof(bins),
            out=ctypes.addressof(self._out),
            n_columns=self._n_columns,
            cells_max=CELLS_MAX,
            answers_max=ANSWERS_MAX,
            out_max=OUT_MAX_BYTES,
            rows_max=min(tables.rows_max, CELLS_MAX),  # each has a class and a bin
            threshold=tables.threshold,
            revision=(ctypes.c_uint8 * 5)(*tables.revision),
            tag=(ctypes.c_uint8 * 4)(*tables.tag),
            width=tables.width,
            told_width=tables.told_width,
            classes=tables.classes,
            bins_kind=tables.bins,
            n_datatypes=len(tables.datatypes),
        )
        self.reference = ctypes.byref(self._state)
        """The state, for functions of the library."""
        self._text_at = ctypes.addressof(self._out)

    def begin_gathering(self) -> Gathering:
        """What gathers the answers from now on; those that it doesn't are `unlogged`."""
        gathering = Gathering(
            self._library,
            self._n_columns,
            self._width,
            is_classification=self._is_classification,
        )
        self._state.gathering = gathering.address
        self._gathering = gathering  # which lives as long
        self._short = _answering_in(self._library, _ANSWER_AND_LOG)
        return gathering

    def answer(self, request: bytes, now_ms: int, number: int) -> bytes | None:
        """The answer's JSON, with the id of that `number`; None: not a usual request."""
        if len(request) <= SHORT_BYTES:
            size: int = self._short(self.reference, request, len(request), now_ms, number)
            if size < 0:
                self.unlogged, size = True, -size
        else:
            # Other threads may work meanwhile, also one that takes what was gathered.
            size = self._long(self.reference, request, len(request), now_ms, number)
            self.unlogged = size > 0
        return self.text(size) if size else None

    def text(self, size: int) -> bytes:
        """The last answer, of that size."""
        return ctypes.string_at(self._text_at, size)

    def log(self, form: int) -> bool:
        """Gather the last answer, in the form of that number; False: there is no room."""
        gathered: int = self._library.serinus_tensors_log(self.reference, form)
        return gathered != 0

    @property
    def n_rows(self) -> int:
        """Rows of the last request that was answered."""
        rows: int = self._state.n_rows
        return rows

    def bins_of_rows(self) -> list[int]:
        """Bins of the last answer's rows."""
        return self._bins[: self.n_rows]

    def prediction_id(self, answer: bytes) -> str:
        """The id in the last answer."""
        begin: int = self._state.id_begin
        return answer[begin : begin + self._state.id_size].decode()

    def kept(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp] | None]:
        """Rows, answers and classes of the last request, as copies."""
        return self.rows(), self.answers(), self.decided()

    def rows(self) -> NDArray[np.float64]:
        """Encoded rows of the last request, (n_rows, n_inputs); a copy."""
        return self._first(self._rows, self._n_columns)

    def answers(self) -> NDArray[np.float64]:
        """What was predicted for them, (n_rows, answers); a copy."""
        return self._first(self._answers, self._width)

    def decided(self) -> NDArray[np.intp] | None:
        """Positions of their classes, (n_rows,); None for a regression."""
        return self._decided[: self.n_rows].astype(np.intp) if self._is_classification else None

    def _first(self, cells: NDArray[np.float64], width: int) -> NDArray[np.float64]:
        return cells[: self.n_rows * width].reshape(-1, width).copy()


def tensor_kernel(tables: TensorTables, plan: PlanKernel) -> TensorKernel | None:
    """The kernel of a model's requests; None where there is no library, or an older one.

    Raises
    ------
    ValueError
        The plan takes or answers more or less than the tables say: C would write beyond its rows.
    """
    short, long = short_calls(), library()
    if short is None or long is None or not all(hasattr(short, name) for name in _FUNCTIONS):
        return None
    if plan.shape != (len(tables.columns), tables.width):
        raise ValueError(
            f"plan: takes and answers {plan.shape} numbers a row, expected "
            f"{(len(tables.columns), tables.width)} of the signature"
        )
    return TensorKernel(short, long, tables, plan, sealing_states(short, tables.key))


def _answering_in(found: ctypes.CDLL, name: str) -> Any:
    function = getattr(found, name)
    function.restype = ctypes.c_int64
    function.argtypes = (
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint32,
    )  # fmt: skip
    return function


def sealing_states(found: ctypes.PyDLL, key: bytes) -> ctypes.Array[ctypes.c_char]:
    """What of a key is needed to seal with it, as seal.c keeps it."""
    states = ctypes.create_string_buffer(_SEAL_STATES_BYTES)
    if len(key) > _KEY_BYTES:
        key = hashlib.sha256(key).digest()
    init = found.serinus_seal_init
    init.restype = None
    init.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64)
    init(states, key, len(key))
    return states
