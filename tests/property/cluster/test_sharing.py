"""Whatever objects come in whatever order: what is shared says the same."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serinus.cluster.sharing import Sharing

scalars = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.text("ab", max_size=2)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(objects=st.lists(values, max_size=12), remembered=st.integers(2, 12))
def test_an_object_is_as_it_came(objects: list[Any], remembered: int) -> None:
    sharing = Sharing(remembered=remembered)
    kept = [sharing.of(json.loads(json.dumps(one))) for one in objects]

    assert [json.dumps(one) for one in kept] == [json.dumps(one) for one in objects]
