"""What makes another revision, and what doesn't."""

from typing import Any

import pytest

from serinus.api.deployment_status import RejectedRevision, RevisionStatus
from serinus.api.server import Server
from serinus.api.strategy import REVISIONS_BACK_MAX, RollbackWindow
from serinus.rollout.revision import (
    REJECTED_MAX,
    is_within_window,
    revision_hash,
    revision_inputs,
    with_former,
    with_rejected,
    without_rejected,
)

DIGEST = "sha256:" + "a" * 64
IMAGE = "server:1"


def stable(name: str) -> RevisionStatus:
    return RevisionStatus(revision=name, model_version="v1")


@pytest.mark.parametrize(
    ("former", "replaced", "now", "then"),
    [
        ([], None, "a", []),
        ([], "a", "b", ["a"]),
        (["a"], "b", "c", ["a", "b"]),
        (["a", "b"], "c", "a", ["b", "c"]),
        (["a", "b"], "b", "c", ["a", "b"]),
        (["a"], "b", "b", ["a"]),
    ],
)
def test_what_was_stable_is_kept_once_newest_last(
    former: list[str], replaced: str | None, now: str, then: list[str]
) -> None:
    kept = [stable(one) for one in former]

    found = with_former(kept, stable(replaced) if replaced else None, now)

    assert [one.revision for one in found] == then


def test_what_was_stable_long_ago_is_forgotten() -> None:
    kept: list[RevisionStatus] = []
    for number in range(30):
        kept = with_former(kept, stable(f"r{number}"), f"r{number + 1}")

    assert len(kept) == REVISIONS_BACK_MAX
    assert kept[-1].revision == "r29"


def test_a_window_counts_from_the_newest() -> None:
    former = [stable("a"), stable("b"), stable("c")]
    window = RollbackWindow(revisions=2)

    assert [is_within_window(one, former, window) for one in "abcd"] == [False, True, True, False]
    assert not is_within_window("c", former, None)


def revision(image: str = IMAGE, model: str = DIGEST, **server: Any) -> str:
    given = Server.model_validate(server) if server else None
    return revision_hash(revision_inputs(model, given), image=image)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "sha256:" + "b" * 64},
        {"image": "server:2"},
        {"runtimeVersion": "2"},
        {"resources": {"limits": {"cpu": "1"}}},
        {"env": [{"name": "A", "value": "b"}]},
        {"env": [{"name": "A", "secretKeyRef": {"name": "s", "key": "k"}}]},
        {"feedback": {"cohortLength": "1m"}},
        {"predictionLog": {"samplePercent": 10}},
        {"accessLog": {}},
        {"tracing": {"collector": "platform"}},
        {"workers": 2},
        {"onlineFeatures": [{"featureSetRef": {"name": "flights"}}]},
        {"podTemplate": {"spec": {"nodeSelector": {"a": "b"}}}},
    ],
)
def test_everything_that_serves_makes_another_revision(change: dict[str, Any]) -> None:
    assert revision(**change) != revision()


def test_a_block_that_says_nothing_makes_none() -> None:
    nothing = revision_inputs(DIGEST, None)

    assert revision_inputs(DIGEST, Server()) == nothing
    assert (
        revision_inputs(DIGEST, Server.model_validate({"env": [], "podTemplate": None})) == nothing
    )


def test_how_much_is_logged_makes_none() -> None:
    nothing_said = revision(predictionLog={})

    assert revision(predictionLog={"samplePercent": 50}) == nothing_said
    assert revision(predictionLog={"retention": {"maxAge": "7d"}}) == nothing_said


def test_a_revision_is_ten_hexadecimal_digits_and_always_the_same() -> None:
    assert revision() == "465f3120a0"


def test_a_rejection_is_listed_until_it_is_let_go() -> None:
    listed = with_rejected([], RejectedRevision(revision="a", reason="r", at="t"))

    assert [item.revision for item in listed] == ["a"]
    assert without_rejected(listed, "b") == listed
    assert without_rejected(listed, "a") == []


def test_only_the_newest_rejections_are_kept_each_once() -> None:
    listed: list[RejectedRevision] = []
    for number in range(REJECTED_MAX + 5):
        item = RejectedRevision(revision=str(number), reason="r", at="t")
        listed = with_rejected(with_rejected(listed, item), item)

    assert len(listed) == REJECTED_MAX
    assert listed[-1].revision == str(REJECTED_MAX + 4)
