"""Ids carry their prediction, sealed; other keys and other Deployments' ids don't open."""

import numpy as np
import pytest

from serinus_runtime.server.prediction_id import (
    MAX_CLASSES,
    MAX_ROWS,
    PredictionIdError,
    PredictionIds,
    classes_tag,
)

KEY = b"k" * 32
REVISION = "00ff00ff00"
AT_MS = 1_800_000_000_123


def ids(key: bytes = KEY, tag: bytes = b"pod1", first: int = 0) -> PredictionIds:
    return PredictionIds(key, revision=REVISION, tag=tag, first=first)


def test_an_id_gives_back_what_was_answered() -> None:
    probabilities = np.array([[0.25, 0.75], [0.9, 0.1]])

    opened = ids().opened(ids().of_classes(probabilities, np.array([1, 0]), issued_at_ms=AT_MS))

    assert (opened.revision, opened.issued_at_ms, opened.rows) == (REVISION, AT_MS, 2)
    assert opened.probabilities is not None
    assert opened.decided is not None
    np.testing.assert_allclose(opened.probabilities, probabilities, atol=1e-7)
    assert opened.decided.tolist() == [1, 0]


def test_an_id_tells_among_which_classes_was_decided() -> None:
    sets: list[tuple[bool | int | str, ...]] = [
        (False, True), (0, 1), ("a", "b"), ("b", "a"), ("a", "b", "c")
    ]  # fmt: skip

    def told(classes: tuple[bool | int | str, ...]) -> int:
        maker = PredictionIds(KEY, revision=REVISION, tag=b"pod1", classes=classes)
        alike = np.full((1, len(classes)), 1 / len(classes))
        return maker.opened(maker.of_classes(alike, np.array([0]), issued_at_ms=0)).classes_tag

    assert [told(classes) for classes in sets] == [classes_tag(classes) for classes in sets]
    assert len({*map(classes_tag, sets), classes_tag(())}) == len(sets) + 1


def test_makers_that_take_turns_by_a_step_never_meet_also_when_numbers_come_round() -> None:
    makers = [
        PredictionIds(KEY, revision=REVISION, tag=b"pod1", first=(1 << 32) - 8 + number, step=4)
        for number in range(3)
    ]

    made = [one.of_values(np.array([1.0]), issued_at_ms=AT_MS) for one in makers for _ in range(9)]

    assert len(set(made)) == 27
    assert {int.from_bytes(ids().opened(one).unique[4:], "big") % 4 for one in made} == {0, 1, 2}


def test_several_classes_are_carried_whole() -> None:
    probabilities = np.array([[0.2, 0.3, 0.5]])

    opened = ids().opened(ids().of_classes(probabilities, np.array([2]), issued_at_ms=AT_MS))

    assert opened.probabilities is not None
    np.testing.assert_allclose(opened.probabilities, probabilities, atol=1e-7)


def test_values_are_carried_exactly() -> None:
    opened = ids().opened(ids().of_values(np.array([1 / 3, -1e300]), issued_at_ms=AT_MS))

    assert opened.values is not None
    assert opened.values.tolist() == [1 / 3, -1e300]


@pytest.mark.parametrize(
    ("rows", "classes", "carried"),
    [
        (MAX_ROWS, 2, True),
        (MAX_ROWS + 1, 2, False),
        (1, MAX_CLASSES, True),
        (1, MAX_CLASSES + 1, False),
        (1000, 2, False),
    ],
)
def test_large_answers_arent_carried(rows: int, classes: int, carried: bool) -> None:
    probabilities = np.full((rows, classes), 1 / classes)
    decided = np.zeros(rows, dtype=np.intp)

    opened = ids().opened(ids().of_classes(probabilities, decided, issued_at_ms=AT_MS))

    assert (opened.probabilities is not None) is carried


def test_no_two_ids_are_the_same_thing() -> None:
    one, other = ids(), ids(tag=b"pod2")

    opened = [
        ids().opened(issuer.of_values(np.array([1.0]), issued_at_ms=AT_MS)).unique
        for issuer in (one, one, other)
    ]

    assert len(set(opened)) == 3


def test_an_id_bears_the_tag_of_its_maker_and_numbers_come_round() -> None:
    issuer = ids(tag=b"pod9", first=(1 << 32) - 2)

    opened = [
        ids().opened(issuer.of_values(np.array([1.0]), issued_at_ms=AT_MS)).unique for _ in range(2)
    ]

    assert opened == [b"pod9\xff\xff\xff\xff", b"pod9\x00\x00\x00\x00"]


def test_an_id_of_another_key_doesnt_open() -> None:
    foreign = ids(key=b"x" * 32).of_values(np.array([1.0]), issued_at_ms=AT_MS)

    with pytest.raises(PredictionIdError, match="not a prediction id of this Deployment"):
        ids().opened(foreign)


def test_a_small_id_is_short() -> None:
    identity = ids().of_classes(np.array([[0.5, 0.5]]), np.array([0]), issued_at_ms=AT_MS)

    assert len(identity) <= 64
    assert identity.replace("-", "").replace("_", "").isalnum()
