"""What is gathered is what was offered and is in the sample, in chunks that it fits in."""

import ctypes
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.kernel.gather_kernel import Chunk, Gathering
from serinus_runtime.kernel.library import short_calls
from serinus_runtime.prediction_log.logged import is_sampled

COLUMNS, WIDTH = 3, 2


def gathering(*, is_classification: bool = True) -> Gathering:
    library = short_calls()
    assert library is not None
    return Gathering(library, COLUMNS, WIDTH, is_classification=is_classification)


def offered(to: Gathering, identity: str, n_rows: int) -> bool:
    """Offer as `tensors.c` does; the values tell which request and row they are of."""
    library = short_calls()
    assert library is not None
    rows, answers, decided = values(identity, n_rows)
    return bool(
        library.serinus_gather(
            ctypes.c_void_p(to.address),
            ctypes.c_int32(n_rows % 3),
            identity.encode(),
            ctypes.c_int64(len(identity)),
            ctypes.c_int64(time_of(identity)),
            ctypes.c_int64(n_rows),
            ctypes.c_void_p(rows.ctypes.data),
            ctypes.c_void_p(answers.ctypes.data),
            ctypes.c_void_p(decided.ctypes.data),
        )
    )


def time_of(identity: str) -> int:
    return (1 << 40) + sum(identity.encode())


def values(
    identity: str, n_rows: int
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
    first = float(sum(identity.encode()))
    rows = first + np.arange(n_rows * COLUMNS).reshape(n_rows, COLUMNS)
    answers = -first - np.arange(n_rows * WIDTH).reshape(n_rows, WIDTH)
    return rows, answers, np.arange(n_rows, dtype=np.int32)  # type: ignore[return-value]


@dataclass
class Found:
    """What chunks hold, one after the other."""

    ids: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        row, raw, forms = 0, chunk.ids, chunk.forms.tolist()
        for count, at in zip(chunk.row_counts.tolist(), chunk.issued_at_ms.tolist(), strict=True):
            size = int.from_bytes(raw[:4], "little")
            identity, raw = raw[4 : 4 + size].decode(), raw[4 + size :]
            rows, answers, decided = values(identity, count)
            here = slice(row, row + count)
            assert at == time_of(identity)
            assert forms.pop(0) == count % 3
            assert np.array_equal(chunk.rows[here], rows)
            assert np.array_equal(chunk.answers[here], answers)
            assert np.array_equal(chunk.decided[here], decided)
            self.ids.append(identity)
            self.counts.append(count)
            row += count
        assert (raw, row) == (b"", chunk.n_rows)
        assert len(self.ids) >= chunk.n_requests


REQUESTS = st.lists(
    st.tuples(st.text("abcXYZ019-_", min_size=1, max_size=120), st.integers(1, 20)), max_size=40
)


@given(REQUESTS, st.integers(0, 5000), st.sampled_from([0, 1, 30, 99, 100]))
def test_each_request_of_the_sample_is_in_one_chunk(
    requests: list[tuple[str, int]], chunk_bytes: int, percent: int
) -> None:
    to, found, refused = gathering(), Found(), 0
    to.percent = percent
    for identity, n_rows in requests:
        if offered(to, identity, n_rows):
            continue
        full = to.exchange(to.new_chunk(chunk_bytes))
        if full is not None:
            assert full.held_bytes <= chunk_bytes
            found.add(full)
        refused += 0 if offered(to, identity, n_rows) else n_rows
    last = to.exchange(None)
    if last is not None:
        assert set(last.percents.tolist()) <= {percent}
        found.add(last)

    sampled = [one for one in requests if is_sampled(one[0], percent)]
    assert to.taken_rows == sum(found.counts) == sum(n for _, n in sampled) - refused
    assert to.unsampled_rows == sum(n for _, n in requests) - sum(n for _, n in sampled)
    kept = list(zip(found.ids, found.counts, strict=True))
    assert kept == sampled if not refused else set(kept) <= set(sampled)


def test_a_chunk_is_filled_with_ids_to_its_last_byte_and_no_further() -> None:
    identity, id_bytes = "x" * 120, 4 + 120
    for ids_max in range(2 * id_bytes, 4 * id_bytes):
        to = gathering()
        to.percent = 100
        to.exchange(to.new_chunk(3 * ids_max))
        taken = sum(offered(to, identity, 1) for _ in range(5))

        assert taken == ids_max // id_bytes


def test_without_a_chunk_there_is_no_room() -> None:
    to = gathering(is_classification=False)
    to.percent = 100

    assert not offered(to, "id", 1)
    assert to.exchange(None) is None
    assert (to.taken_rows, to.unsampled_rows) == (0, 0)


def test_what_is_taken_is_a_copy() -> None:
    to = gathering()
    to.percent = 100
    to.exchange(to.new_chunk(1000))
    assert offered(to, "id", 2)
    chunk = to.exchange(None)
    assert chunk is not None
    rows = chunk.rows
    rows[:] = 7.0

    assert chunk.rows[0, 0] != 7.0
    assert (chunk.n_requests, chunk.n_rows) == (1, 2)
