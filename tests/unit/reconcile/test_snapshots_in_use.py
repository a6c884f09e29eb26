"""Which snapshots retention may not take."""

from typing import Any

import pytest

from serinus.reconcile.snapshots_in_use import digests_in_use
from tests.support.run_world import DIGEST_A, DIGEST_B, DIGEST_C

NEEDED = {"featureSet": "flights", "digest": DIGEST_A, "uri": "file:///store/a"}
OF_ANOTHER = {"featureSet": "trains", "digest": DIGEST_B, "uri": "file:///store/b"}


def version(*snapshots: Any) -> dict[str, Any]:
    return {"spec": {"source": {"featureSnapshots": list(snapshots)}}}


def run(outcome: str | None, *snapshots: Any) -> dict[str, Any]:
    ended = {"outcome": outcome} if outcome else {}
    return {"status": {"lastRun": {"snapshots": list(snapshots), **ended}}}


def asks_for(name: str, **reference: Any) -> dict[str, Any]:
    return {"spec": {"featureSetRefs": [{"name": name, **reference}]}}


@pytest.mark.parametrize(
    ("who", "versions", "training_jobs", "needed"),
    [
        ("nobody", [], [], set()),
        ("a model that came from it", [version(OF_ANOTHER, NEEDED)], [], {DIGEST_A}),
        ("a model trained by hand", [{"spec": {}}], [], set()),
        ("a run that works", [], [run(None, NEEDED, OF_ANOTHER)], {DIGEST_A}),
        ("a run whose version isn't made yet", [], [run("succeeded", NEEDED)], {DIGEST_A}),
        ("a run that failed", [], [run("failed", NEEDED)], {DIGEST_A}),
        ("a spec", [], [asks_for("flights", snapshot=DIGEST_C)], {DIGEST_C}),
        ("a spec that takes the latest", [], [asks_for("flights")], set()),
        ("a spec of another FeatureSet", [], [asks_for("trains", snapshot=DIGEST_C)], set()),
    ],
)
def test_a_snapshot_is_needed_by(
    who: str,
    versions: list[dict[str, Any]],
    training_jobs: list[dict[str, Any]],
    needed: set[str],
) -> None:
    assert digests_in_use("flights", versions, training_jobs) == needed, who


@pytest.mark.parametrize("odd", [{}, {"spec": 7}, {"spec": {"source": None}, "status": []},
                                 version("flights", {"featureSet": "flights", "digest": 7}),
                                 {"spec": {"featureSetRefs": {"name": "flights"}}}])  # fmt: skip
def test_an_object_that_can_t_be_parsed_is_passed_over(odd: dict[str, Any]) -> None:
    assert digests_in_use("flights", [odd, version(NEEDED)], [odd]) == {DIGEST_A}
