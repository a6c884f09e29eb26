"""Rounding decides what a stored state continues with, so it is compared with Python's own."""

from hypothesis import example, given
from hypothesis import strategies as st

from serinus.analysis.arithmetic import DECIMALS, rounded

near_ties = st.builds(
    lambda half, billionths: (billionths + half) / 10**DECIMALS,
    st.sampled_from([0.5, -0.5, 0.49, 0.51]),
    st.integers(-(10**13), 10**13),
)


@example(-0.0)
@example(-1e-10)
@example(9999.9999999995)
@given(near_ties | st.floats(-20_000, 20_000) | st.floats(allow_nan=False, allow_infinity=False))
def test_states_are_rounded_as_round_does_to_the_last_bit_and_sign(value: float) -> None:
    assert repr(rounded(value)) == repr(round(value, DECIMALS))
