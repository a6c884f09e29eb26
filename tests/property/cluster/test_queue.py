"""No key is lost and none is in two hands, whatever is added when and however passes end."""

import asyncio
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from serinus.cluster.queue import Priority, WorkQueue
from tests.support.clock import run_in_virtual_time

KEYS = "abcd"
adds = st.lists(
    st.tuples(
        st.floats(0, 20),
        st.sampled_from(KEYS),
        st.sampled_from(list(Priority)),
    ),
    max_size=30,
)
passes = st.lists(
    st.tuples(
        st.floats(0, 5),
        st.sampled_from(["done", "again", "failed"]),
    ),
    max_size=30,
)


@given(adds=adds, passes=passes, workers=st.integers(1, 3))
def test_each_key_is_worked_on_after_its_last_change_by_one_worker_at_a_time(
    adds: list[tuple[float, str, Priority]], passes: list[tuple[float, str]], workers: int
) -> None:
    run_in_virtual_time(_life_of_a_queue(adds, passes, workers))


async def _life_of_a_queue(
    adds: list[tuple[float, str, Priority]], passes: list[tuple[float, str]], workers: int
) -> None:
    queue = WorkQueue[str]()
    loop = asyncio.get_running_loop()
    ends = iter(passes)
    in_hand: set[str] = set()
    changed_at: dict[str, float] = {}
    began_at: defaultdict[str, float] = defaultdict(lambda: -1.0)

    def add(key: str, priority: Priority) -> None:
        changed_at[key] = loop.time()
        queue.add(key, priority)

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in in_hand
            in_hand.add(key)
            began_at[key] = loop.time()
            duration, end = next(ends, (0.0, "done"))
            await asyncio.sleep(duration)
            in_hand.remove(key)
            if end == "failed":
                queue.failed(key)
            else:
                queue.done(key, again_after_seconds=3 if end == "again" else None)

    for at, key, priority in adds:
        loop.call_later(at, add, key, priority)
    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    # Longer than all passes and all backoffs of 30 failures in a row.
    await asyncio.sleep(30 * 310)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(result, asyncio.CancelledError) for result in results), results
    assert all(began_at[key] >= at for key, at in changed_at.items())
    assert not in_hand
    assert queue.depth(Priority.NORMAL) == queue.depth(Priority.LOW) == 0
