"""`retry`: granted once, refused with the reason."""

from serinus.api.enums import Verb
from serinus.api.metadata import ObjectMeta
from serinus.reconcile.retry_request import retry_request
from tests.support.run_world import NOW, a_feature_set


def metadata(verb: Verb | None) -> ObjectMeta:
    world = a_feature_set()
    if verb:
        world.ask(verb)
    return ObjectMeta.model_validate(world.resource["metadata"])


def test_without_a_request_nothing_is_granted() -> None:
    found = retry_request(metadata(None), None, obstacle=None, vouched_since=None, now=NOW)

    assert not found.granted
    assert found.record is None


def test_a_request_is_granted_once() -> None:
    asked = metadata(Verb.RETRY)
    first = retry_request(asked, None, obstacle=None, vouched_since=None, now=NOW)
    second = retry_request(asked, first.record, obstacle=None, vouched_since=None, now=NOW)

    assert first.granted
    assert not second.granted
    assert second.record == first.record
    assert second.events == ()


def test_what_stands_in_the_way_is_the_answer() -> None:
    asked = metadata(Verb.RETRY)
    found = retry_request(asked, None, obstacle="busy", vouched_since=None, now=NOW)

    assert not found.granted
    assert found.record is not None
    assert (found.record.outcome, found.record.message) == ("refused", "busy")


def test_another_verb_is_refused() -> None:
    found = retry_request(metadata(Verb.PROMOTE), None, obstacle=None, vouched_since=None, now=NOW)

    assert not found.granted
    assert found.record is not None
    assert "`promote` is none of retry" in found.record.message
