"""Each type of a column has a datatype of its own, but for times."""

from serinus.api.column_type import ColumnType
from serinus_runtime.artifact.column_datatypes import DATATYPES


def test_all_types_but_times_are_inputs_of_their_own_datatype() -> None:
    assert set(DATATYPES) == set(ColumnType) - {ColumnType.TIMESTAMP}
    assert len(set(DATATYPES.values())) == len(DATATYPES)
