"""Fills what a request leaves out from online tables, before its rows are read.

First the places are made and the entities found that are asked for, then the values are put there:
in between, rows that a server has can come, all of a request at once.

A value that the request gives stays as it is, a null among them: what happens to that is the
policy of the input. So is what happens to one that isn't in the table or is too old, which stays
left out. What isn't written as a request should be isn't touched: who reads it says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, Protocol, TypeAlias

from serinus.api.column_type import ColumnType
from serinus_runtime.artifact.encoding import shown, some_names
from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.online.keys import EntityKey, key_of
from serinus_runtime.online.table import Value, Values
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.exchange import JsonObject, LookedUp
from serinus_runtime.server.tensors import is_matrix

Columns: TypeAlias = dict[str, list[Any]]

_TENSORS = "v2"
_ROW_FIELDS: Mapping[str, tuple[str, ...]] = {
    "predict": ("rows", "instances"),
    "v1": ("instances", "inputs"),
    "invocations": ("dataframe_records", "instances", "inputs"),
}
"""Where the other forms of requests have their rows, by the forms' words."""


class Rows(Protocol):
    """Newest rows of entities."""

    @property
    def expect(self) -> Callable[[EntityKey], object] | None:
        """What has to know whose rows will be asked for; None: they are here."""
        ...

    @property
    def is_away(self) -> bool:
        """Whether nobody knows them now."""
        ...

    def position(self, key: EntityKey) -> int | None:
        """Where the entity's row is; None where there is none."""

    def is_stale(self, position: int, now: float) -> bool:
        """Whether the row is too old `now`, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Source:
    """Newest rows, and those of their features that are inputs of the model."""

    table: Rows
    entities: tuple[str, ...]
    types: tuple[ColumnType, ...]
    features: tuple[tuple[str, Values], ...]


Put: TypeAlias = Callable[[list[list[Value]]], None]
_NOTHING = LookedUp()
_NOT_ASKED = EntityKey(-1, -1)
"""Stands for an entity that wasn't given whole: nothing of it is looked up or counted."""


class Gap(NamedTuple):
    """Values that a request leaves out: of which entities, and what takes those of each.

    A key is None where no entity has such a one.
    """

    source: Source
    features: Sequence[tuple[str, Values]]
    keys: Sequence[EntityKey | None]
    put: Put


class Completion:
    """One request's values, looked up at one time; counts what came of each."""

    def __init__(self, sources: Sequence[Source], inputs: Sequence[InputSpec]) -> None:
        self._sources = sources
        self._inputs = inputs
        self._gaps: list[Gap] = []

    @property
    def asks(self) -> bool:
        """Whether anything is looked up."""
        return bool(self._gaps)

    def fill(self, now: float) -> LookedUp | None:
        """Put values into the places; what came of all, None where nothing was looked up."""
        total = _NOTHING
        for gap in self._gaps:
            found, counts = _values(gap, now)
            gap.put(found)
            total = (
                counts
                if total is _NOTHING
                else LookedUp(*map(sum, zip(total, counts, strict=True)))
            )
        return total if any(total) else None

    def make_places(self, word: str, document: JsonObject) -> None:
        """Make the places of what a request of the form that is called `word` leaves out."""
        if word == _TENSORS:
            self._fill_tensors(document)
            return
        for field in _ROW_FIELDS[word]:
            rows = document.get(field)
            if type(rows) is list:
                self._fill_objects([row for row in rows if type(row) is dict])
            elif type(rows) is dict:
                rows.update(self._new_columns(rows))
        if type(split := document.get("dataframe_split")) is dict:
            self._fill_split(split)

    def _fill_tensors(self, document: JsonObject) -> None:
        """Fill a request of the Open Inference Protocol by further tensors.

        One tensor for all inputs leaves none of them out.

        Raises
        ------
        BadRequest
            An input is missing, and a tensor is neither one nor part of a key: it may be misspelt.
        """
        tensors = document.get("inputs")
        if type(tensors) is not list or is_matrix(tensors, len(self._inputs)):
            return
        given: dict[str, Any] = {}
        for tensor in tensors:
            name = tensor.get("name") if type(tensor) is dict else None
            if type(name) is not str or name in given:
                return
            given[name] = _column(tensor)
        self._check_names(given)
        found = self._new_columns(given)
        if found:
            size = len(next(iter(found.values())))
            tensors += [
                _tensor(spec.name, spec.datatype, found.get(spec.name, [None] * size))
                for spec in self._inputs
                if spec.name not in given
            ]

    def _check_names(self, given: Mapping[str, Any]) -> None:
        missing = [spec.name for spec in self._inputs if spec.name not in given]
        known = {spec.name for spec in self._inputs}
        known = known.union(*(source.entities for source in self._sources))
        for index, name in enumerate(given):
            if missing and name not in known:
                raise BadRequest(
                    f"`inputs[{index}].name`: the model has no input {shown(name)}, and of its "
                    f"inputs these are missing: {some_names(tuple(missing))}"
                )

    def _fill_objects(self, rows: Sequence[JsonObject]) -> None:
        """Rows that leave out the same go together: nearly always that is all of them."""
        alike: dict[tuple[int, ...], tuple[Sequence[tuple[str, Values]], _Objects]] = {}
        for row in rows:
            taken: Set[str] = row.keys()
            for number, source in enumerate(self._sources):
                places = [n for n, one in enumerate(source.features) if one[0] not in taken]
                key = [row.get(name) for name in source.entities]
                if places and None not in key:
                    kind = (number, *places)
                    if kind not in alike:
                        alike[kind] = [source.features[place] for place in places], _Objects()
                    left_out, objects = alike[kind]
                    objects.add(row, key)
                    if number + 1 < len(self._sources):
                        taken = {*taken, *_names(left_out)}
        for kind, (left_out, objects) in alike.items():
            put = _into_objects(objects.rows, _names(left_out))
            self._ask(self._sources[kind[0]], left_out, objects.keys, put)

    def _fill_split(self, split: JsonObject) -> None:
        names, rows = split.get("columns"), split.get("data")
        if type(names) is not list or type(rows) is not list:
            return
        if not all(type(name) is str for name in names):
            return
        if not all(type(row) is list and len(row) == len(names) for row in rows):
            return
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=False))
        for source, left_out, keys in self._asked_by_columns(columns):
            names += _names(left_out)
            self._ask(source, left_out, keys, _behind(rows))

    def _new_columns(self, given: Mapping[str, Any]) -> Columns:
        """The columns that are left out, of sources whose keys are given."""
        found: Columns = {}
        for source, left_out, keys in self._asked_by_columns(given):
            columns: list[list[Any]] = [[None] * len(keys) for _ in left_out]
            found.update(zip(_names(left_out), columns, strict=True))
            self._ask(source, left_out, keys, _into_columns(columns))
        return found

    def _asked_by_columns(
        self, given: Mapping[str, Any]
    ) -> Iterator[tuple[Source, list[tuple[str, Values]], list[Sequence[Any]]]]:
        """Sources whose keys are given by columns: what is left out of each, and the keys."""
        taken = set(given)
        for source in self._sources:
            left_out = [feature for feature in source.features if feature[0] not in taken]
            columns = [given.get(name) for name in source.entities]
            if not left_out or not all(type(column) is list and column for column in columns):
                continue
            if len({len(column) for column in columns}) == 1:  # type: ignore[arg-type]
                taken.update(_names(left_out))
                yield source, left_out, list(zip(*columns, strict=True))

    def _ask(
        self,
        source: Source,
        features: Sequence[tuple[str, Values]],
        entities: Sequence[Sequence[Any]],
        put: Put,
    ) -> None:
        """Note whose values are wanted; those of an entity with a null in its key aren't."""
        types, expect = source.types, source.table.expect
        keys: list[EntityKey | None] = []
        for entity in entities:
            key = _NOT_ASKED if None in entity else key_of(entity, types)
            keys.append(key)
            if expect is not None and key is not None and key is not _NOT_ASKED:
                expect(key)
        self._gaps.append(Gap(source, features, keys, put))


class _Objects:
    """Rows that leave out the same, and the entity of each."""

    def __init__(self) -> None:
        self.rows: list[JsonObject] = []
        self.keys: list[Sequence[Any]] = []

    def add(self, row: JsonObject, key: Sequence[Any]) -> None:
        """One more."""
        self.rows.append(row)
        self.keys.append(key)


def _into_objects(rows: Sequence[JsonObject], names: Sequence[str]) -> Put:
    def put(found: list[list[Value]]) -> None:
        for row, values in zip(rows, found, strict=True):
            row.update(zip(names, values, strict=True))

    return put


def _behind(rows: Sequence[list[Any]]) -> Put:
    """Gaps are filled in the order in which their columns were named."""

    def put(found: list[list[Value]]) -> None:
        for row, values in zip(rows, found, strict=True):
            row += values

    return put


def _into_columns(columns: Sequence[list[Any]]) -> Put:
    def put(found: list[list[Value]]) -> None:
        for column, values in zip(columns, zip(*found, strict=True), strict=True):
            column[:] = values

    return put


def _values(gap: Gap, now: float) -> tuple[list[list[Value]], LookedUp]:
    """The values of each entity, None for those that can't be used; what came of them."""
    rows, at, nones = gap.source.table, [column.at for _, column in gap.features], _nones(gap)
    found: list[list[Value]] = []
    n_present = n_stale = n_missing = n_unavailable = 0
    for key in gap.keys:
        if key is _NOT_ASKED:
            found.append(nones)
        elif rows.is_away:
            n_unavailable += len(at)
            found.append(nones)
        elif key is None or (position := rows.position(key)) is None:
            n_missing += len(at)
            found.append(nones)
        else:
            values = [value(position) for value in at]
            n_none = values.count(None)
            n_missing += n_none
            if rows.is_stale(position, now):
                n_stale += len(at) - n_none
                values = nones
            else:
                n_present += len(at) - n_none
            found.append(values)
    return found, LookedUp(n_present, n_stale, n_missing, n_unavailable)


def _nones(gap: Gap) -> list[Value]:
    return [None] * len(gap.features)


def _names(features: Sequence[tuple[str, Values]]) -> list[str]:
    return [name for name, _ in features]


def _column(tensor: JsonObject) -> list[Any] | None:
    """Values of a tensor with one in each row; None where they aren't as many as it claims."""
    data, shape = tensor.get("data"), tensor.get("shape")
    if type(data) is not list or type(shape) is not list:
        return None
    if data and all(type(item) is list for item in data):
        data = list(chain.from_iterable(data))
    return data if shape[:1] == [len(data)] else None


def _tensor(name: str, datatype: Datatype, values: list[Any]) -> JsonObject:
    return {"name": name, "datatype": datatype.value, "shape": [len(values)], "data": values}
