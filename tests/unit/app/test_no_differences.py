"""kopf compares nothing, and so has nothing to copy, to keep or to write."""

import kopf

from serinus.app.handlers import event_settings
from serinus.app.no_differences import NoDifferences
from serinus.cluster.resources import OBSERVED


class Untouchable(dict[str, object]):
    """An object that nobody may copy or walk over."""

    def __deepcopy__(self, memo: object) -> "Untouchable":
        raise AssertionError("the object is copied")

    def __iter__(self) -> object:  # type: ignore[override]
        raise AssertionError("the object is walked over")


def test_an_object_is_neither_copied_nor_looked_at() -> None:
    body = kopf.Body(Untouchable(spec={"replicas": 1}))
    storage = NoDifferences()

    assert storage.build(body=body, extra_fields=frozenset()) == {}
    assert storage.fetch(body=body) is None


def test_nothing_is_written_to_the_object() -> None:
    patch = kopf.Patch()
    body = kopf.Body({"metadata": {}})

    NoDifferences().store(body=body, patch=patch, essence=kopf.BodyEssence({}))

    assert not patch


def test_the_operator_uses_it() -> None:
    assert isinstance(event_settings(OBSERVED).persistence.diffbase_storage, NoDifferences)
