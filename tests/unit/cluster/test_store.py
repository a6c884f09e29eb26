"""What the store believes, whatever comes in whatever order."""

from typing import Any

from serinus.cluster.store import LAST_APPLIED, Change, Store, WatchEvent, ref_of

Body = dict[str, Any]


def pod(version: str, *, uid: str = "u1", deployment: str | None = "delay", note: str = "") -> Body:
    labels = {"serinus.dev/deployment": deployment} if deployment else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "delay-0",
            "namespace": "flights",
            "uid": uid,
            "resourceVersion": version,
            "labels": labels,
            "managedFields": [{"manager": "kubelet"}],
        },
        "note": note,
    }


REF = ref_of(pod("1"))


def version(store: Store) -> str | None:
    body = store.get(REF)
    return body["metadata"]["resourceVersion"] if body else None


def seen(*events: tuple[WatchEvent, Body]) -> Store:
    store = Store()
    for event, body in events:
        store.observe(event, body)
    return store


def test_the_newest_body_counts() -> None:
    store = seen((WatchEvent.ADDED, pod("9")), (WatchEvent.MODIFIED, pod("10")))

    assert version(store) == "10"


def test_an_older_event_is_no_news() -> None:
    store = seen((WatchEvent.ADDED, pod("10")))

    assert store.observe(WatchEvent.MODIFIED, pod("9")) is None
    assert version(store) == "10"


def test_the_same_version_again_is_no_news() -> None:
    store = seen((WatchEvent.ADDED, pod("10")))

    assert store.observe(WatchEvent.MODIFIED, pod("10")) is None
    assert store.observe(WatchEvent.LISTED, pod("10")) is None


def test_a_list_counts_even_if_its_versions_are_lower() -> None:
    store = seen((WatchEvent.ADDED, pod("10")), (WatchEvent.LISTED, pod("3")))

    assert version(store) == "3"


def test_versions_that_are_no_numbers_count_in_the_order_in_which_they_come() -> None:
    store = seen((WatchEvent.ADDED, pod("b")), (WatchEvent.MODIFIED, pod("a")))

    assert version(store) == "a"


def test_what_is_deleted_is_gone() -> None:
    store = seen((WatchEvent.ADDED, pod("1")))

    change = store.observe(WatchEvent.DELETED, pod("2"))

    assert change is not None
    assert change.new is None
    assert store.get(REF) is None
    assert len(store) == 0


def test_a_deletion_of_the_object_before_it_leaves_the_new_one() -> None:
    store = seen((WatchEvent.ADDED, pod("5", uid="u2")))

    assert store.observe(WatchEvent.DELETED, pod("4", uid="u1")) is None
    assert version(store) == "5"


def test_a_late_event_brings_nothing_back() -> None:
    store = seen((WatchEvent.ADDED, pod("1")), (WatchEvent.DELETED, pod("3")))

    assert store.observe(WatchEvent.MODIFIED, pod("2")) is None
    assert store.get(REF) is None


def test_an_answer_is_read_back_at_once() -> None:
    store = seen((WatchEvent.ADDED, pod("1")))

    store.put_answer(pod("2"), before=store.get(REF))

    assert version(store) == "2"


def test_an_answer_doesnt_replace_what_came_after_it() -> None:
    store = seen((WatchEvent.ADDED, pod("1")))
    before = store.get(REF)
    store.observe(WatchEvent.MODIFIED, pod("3"))

    assert store.put_answer(pod("2"), before=before) is None
    assert version(store) == "3"


def test_with_versions_that_are_no_numbers_an_event_during_the_write_wins() -> None:
    store = seen((WatchEvent.ADDED, pod("a")))
    before = store.get(REF)
    store.observe(WatchEvent.MODIFIED, pod("c"))

    store.put_answer(pod("b"), before=before)

    assert version(store) == "c"


def test_an_answer_doesnt_bring_back_what_was_deleted_meanwhile() -> None:
    store = seen((WatchEvent.ADDED, pod("1")), (WatchEvent.DELETED, pod("3")))

    store.put_answer(pod("2"), before=None)

    assert store.get(REF) is None


def test_a_read_proves_that_an_object_that_left_the_watch_exists() -> None:
    store = seen((WatchEvent.ADDED, pod("1")), (WatchEvent.DELETED, pod("3")))

    store.put_read(pod("4", deployment=None), before=None)

    assert version(store) == "4"


def test_objects_are_found_by_kind_and_by_the_owner_in_their_labels() -> None:
    store = seen((WatchEvent.ADDED, pod("1")))

    assert [ref_of(body) for body in store.of_kind("v1", "Pod", "flights")] == [REF]
    assert list(store.labelled("flights", "serinus.dev/deployment", "delay")) == [REF]
    assert not store.of_kind("v1", "Pod", "elsewhere")
    assert list(store.refs("v1", "Pod")) == [REF]


def test_an_object_with_another_label_is_found_under_the_new_one_only() -> None:
    store = seen((WatchEvent.ADDED, pod("1")), (WatchEvent.MODIFIED, pod("2", deployment="orders")))

    assert not store.labelled("flights", "serinus.dev/deployment", "delay")
    assert list(store.labelled("flights", "serinus.dev/deployment", "orders")) == [REF]


def test_a_change_has_both_bodies() -> None:
    store = seen((WatchEvent.ADDED, pod("1", note="old")))

    change = store.observe(WatchEvent.MODIFIED, pod("2", note="new"))

    assert isinstance(change, Change)
    assert change.old is not None
    assert change.new is not None
    assert (change.old["note"], change.new["note"]) == ("old", "new")


def test_managed_fields_arent_kept_and_what_came_in_isnt_changed() -> None:
    body = pod("1")
    store = seen((WatchEvent.ADDED, body))
    stored = store.get(REF)

    assert stored is not None
    assert "managedFields" not in stored["metadata"]
    assert "managedFields" in body["metadata"]


def test_what_kubectl_notes_for_itself_isnt_kept() -> None:
    body = pod("1")
    body["metadata"]["annotations"] = {LAST_APPLIED: "{}", "team": "flights"}
    store = seen((WatchEvent.ADDED, body))
    stored = store.get(REF)

    assert stored is not None
    assert stored["metadata"]["annotations"] == {"team": "flights"}
    assert LAST_APPLIED in body["metadata"]["annotations"]


def test_a_body_is_kept_as_it_came_however_much_it_has_in_common_with_others() -> None:
    one, other = pod("1", note="same"), pod("2", uid="u2", note="same")
    other["metadata"]["name"] = "delay-1"
    del one["metadata"]["managedFields"], other["metadata"]["managedFields"]
    store = seen((WatchEvent.ADDED, one), (WatchEvent.ADDED, other))

    assert [store.get(REF), store.get(ref_of(other))] == [one, other]
