"""What the server keeps otherwise is remembered for as long as it is so."""

from serinus.cluster.settled import Settled
from serinus.reconcile.decision import ObjectRef

OWNER = ObjectRef("serinus.dev/v1alpha1", "Deployment", "flights", "delay")
OTHER = ObjectRef("serinus.dev/v1alpha1", "Deployment", "flights", "other")
SERVICE = ObjectRef("v1", "Service", "flights", "delay")
WANTED = {"spec": {"type": "ClusterIP"}}


def test_the_same_wish_with_the_same_outcome_is_settled() -> None:
    settled = Settled()
    settled.add(OWNER, SERVICE, wanted=WANTED, stored="7")

    assert settled.has(OWNER, SERVICE, wanted=WANTED, stored="7")
    assert not settled.has(OWNER, SERVICE, wanted=WANTED, stored="8")
    assert not settled.has(OWNER, SERVICE, wanted={}, stored="7")
    assert not settled.has(OTHER, SERVICE, wanted=WANTED, stored="7")


def test_what_was_stored_as_it_was_wanted_isnt_remembered() -> None:
    settled = Settled()
    settled.add(OWNER, SERVICE, wanted=WANTED, stored="7")
    settled.discard(OWNER, SERVICE)
    settled.discard(OTHER, SERVICE)

    assert not settled.has(OWNER, SERVICE, wanted=WANTED, stored="7")


def test_with_its_owner_all_is_forgotten_and_nothing_of_others() -> None:
    settled = Settled()
    for one in (OWNER, OTHER):
        settled.add(one, SERVICE, wanted=WANTED, stored="7")
    settled.forget(OWNER)

    assert not settled.has(OWNER, SERVICE, wanted=WANTED, stored="7")
    assert settled.has(OTHER, SERVICE, wanted=WANTED, stored="7")
