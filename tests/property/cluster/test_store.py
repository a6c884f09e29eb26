"""In the end the store is what the cluster is, in whatever order answers and events come."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serinus.cluster.store import Store, WatchEvent, ref_of

Body = dict[str, Any]


def body(version: int, uid: str) -> Body:
    metadata = {"name": "x", "namespace": "n", "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata}


histories = st.lists(st.sampled_from(["change", "replace", "write"]), min_size=1, max_size=12)


@given(history=histories, delays=st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_the_last_event_and_answer_leave_the_newest_body(
    history: list[str], delays: list[int]
) -> None:
    """Events keep their order, as in a watch; an answer comes up to three events late or early."""
    store, uid, number = Store(), "u0", 1
    events: list[tuple[WatchEvent, Body]] = [(WatchEvent.ADDED, body(number, uid))]
    answers: list[tuple[int, Body]] = []
    for step, delay in zip(history, delays, strict=False):
        number += 1
        if step == "replace":
            events.append((WatchEvent.DELETED, body(number, uid)))
            number, uid = number + 1, f"u{number}"
            events.append((WatchEvent.ADDED, body(number, uid)))
            continue
        new = body(number, uid)
        if step == "write":
            answers.append((max(0, len(events) - 2) + delay, new))
        events.append((WatchEvent.MODIFIED, new))

    for place, (event, new) in enumerate(events):
        for due, answer in answers:
            if due == place:
                store.put_answer(answer, before=store.get(ref_of(answer)))
        store.observe(event, new)
    for due, answer in answers:
        if due >= len(events):
            store.put_answer(answer, before=store.get(ref_of(answer)))

    assert store.get(ref_of(events[-1][1])) == events[-1][1]
