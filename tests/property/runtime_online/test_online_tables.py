"""Laws of online tables: what is looked up is the newest row of the snapshot, for any rows."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.online.keys import key_of
from tests.support.online_tables import a_spec, table_of_rows

SPEC = a_spec(
    {"user": "string", "shop": "int64", "online": "boolean"},
    {
        "spent": "float64",
        "share": "float32",
        "visits": "int32",
        "member": "boolean",
        "city": "string",
    },
)
TYPES = [entity.type for entity in SPEC.entities]
FEATURES = [feature.name for feature in SPEC.features]

users = st.sampled_from(["", "a", "b", "ab", "ü", "s1:a"]) | st.text(max_size=3)
entities = st.tuples(users, st.integers(-2, 2) | st.integers(-(2**63), 2**63 - 1), st.booleans())


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


rows = st.lists(
    st.fixed_dictionaries(
        {
            "entity": st.tuples(maybe(users), maybe(st.integers(-2, 2)), maybe(st.booleans()))
            | entities,
            "at": st.integers(0, 5),
            "spent": maybe(st.floats(allow_nan=False, allow_infinity=False)),
            "share": maybe(st.floats(width=32, allow_nan=False, allow_infinity=False)),
            "visits": maybe(st.integers(-(2**31), 2**31 - 1)),
            "member": maybe(st.booleans()),
            "city": maybe(st.text(max_size=4)),
        }
    ),
    max_size=30,
)


@given(rows, entities)
def test_each_entity_has_its_newest_row_and_nobody_else_has_one(
    drawn: list[dict[str, Any]], other: tuple[str, int, bool]
) -> None:
    names = [entity.name for entity in SPEC.entities]
    given_rows = [{**row, **dict(zip(names, row["entity"], strict=True))} for row in drawn]
    for row in given_rows:
        del row["entity"]
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in given_rows:
        entity = tuple(row[name] for name in names)
        known = newest.get(entity)
        if None not in entity and (known is None or row["at"] >= known["at"]):
            newest[entity] = row

    table = table_of_rows(SPEC, given_rows)

    assert len(table) == len(newest)
    for entity, row in newest.items():
        position = table.position(key_of(entity, TYPES))  # type: ignore[arg-type]
        assert position is not None
        assert {name: table.values[name].at(position) for name in FEATURES} == {
            name: row[name] for name in FEATURES
        }
        assert not table.is_stale(position, row["at"] + 3600)
        assert table.is_stale(position, row["at"] + 3601)
    if other not in newest:
        assert table.position(key_of(other, TYPES)) is None  # type: ignore[arg-type]
