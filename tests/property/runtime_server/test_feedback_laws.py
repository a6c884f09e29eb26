"""Laws of feedback: a label counts once, whichever pods hear of it and how often."""

from hypothesis import given
from hypothesis import strategies as some

from serinus_runtime.server.feedback_home import homes, tag_of
from serinus_runtime.server.feedback_memory import FeedbackMemory
from serinus_runtime.server.prediction_id import MAX_ROWS

PODS = [f"10.0.0.{number}" for number in range(1, 8)]
GROUPS = some.lists(some.sampled_from(PODS), min_size=1, unique=True)
UNIQUES = some.binary(min_size=8, max_size=8) | some.builds(
    lambda pod, number: tag_of(pod) + number.to_bytes(4, "big"),
    some.sampled_from(PODS),
    some.integers(0, 3000),
)


@given(
    asked=some.lists(
        some.tuples(some.integers(0, 3), UNIQUES, some.integers(0, MAX_ROWS - 1)), max_size=60
    )
)
def test_the_memory_is_a_set(asked: list[tuple[int, bytes, int]]) -> None:
    memory, known = FeedbackMemory(1 << 30), set()

    for cohort, unique, row in asked:
        assert memory.rows_of(cohort, unique).first_time(row) is (
            (cohort, unique, row) not in known
        )
        known.add((cohort, unique, row))


@given(unique=UNIQUES, pods=GROUPS, data=some.data())
def test_pods_that_see_the_same_pods_agree(
    unique: bytes, pods: list[str], data: some.DataObject
) -> None:
    order = homes(unique, pods)

    assert sorted(order) == sorted(pods)
    assert homes(unique, data.draw(some.permutations(pods))) == order


@given(unique=UNIQUES, pods=GROUPS, other=some.sampled_from(PODS))
def test_only_the_home_itself_moves_labels_by_going(
    unique: bytes, pods: list[str], other: str
) -> None:
    home = homes(unique, pods)[0]
    left = [pod for pod in pods if pod != other]

    if other != home:
        assert homes(unique, left)[0] == home
    elif left:
        assert homes(unique, left) == homes(unique, pods)[1:]
