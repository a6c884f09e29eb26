"""Steps as users write them, and as the rules read them."""

import pytest

from serinus.api.strategy import Canary
from serinus.rollout.steps import (
    Analyze,
    Pause,
    SetWeight,
    Shadow,
    Step,
    described,
    explicit_steps,
    following_index,
    parsed_steps,
    steps_taken,
    weight_percent_at,
)

ANALYZE = Analyze(50, 0.0, 1800.0, last=False)
LAST = Analyze(50, 0.0, 1800.0, last=True)


def steps_of(canary: dict[str, object] | None) -> tuple[object, ...]:
    given = Canary.model_validate(canary) if canary is not None else None
    return parsed_steps(explicit_steps(given))


def test_without_a_strategy_it_is_20_and_50_percent_with_an_analysis_each() -> None:
    assert steps_of(None) == steps_of({"stepWeights": [20, 50]})
    assert steps_of(None) == (
        SetWeight(20),
        Analyze(50, 0.0, 1800.0, last=False),
        SetWeight(50),
        Analyze(50, 0.0, 1800.0, last=True),
    )


def test_the_last_analysis_is_the_last_one_wherever_it_stands() -> None:
    found = steps_of({"steps": [{"setWeight": 10}, {"analyze": {}}, {"pause": {}}]})

    assert found == (SetWeight(10), Analyze(50, 0.0, 1800.0, last=True), Pause(None))


def test_what_is_given_counts() -> None:
    found = steps_of(
        {
            "steps": [
                {"pause": {"duration": "90s"}},
                {"analyze": {"minSamples": 7, "minDuration": "1m", "maxDuration": "2h"}},
            ]
        }
    )

    assert found == (Pause(90.0), Analyze(7, 60.0, 7200.0, last=True))


def test_an_empty_list_of_steps_stays_empty() -> None:
    assert steps_of({"steps": []}) == ()


def test_the_weight_of_a_step_is_the_last_one_set() -> None:
    steps = parsed_steps(explicit_steps(None))

    assert [weight_percent_at(steps, index) for index in range(5)] == [20, 20, 50, 50, 50]
    assert weight_percent_at((), 0) == 0


def test_steps_are_told_in_the_words_of_the_spec() -> None:
    assert [described(step) for step in (SetWeight(5), Pause(None), steps_of(None)[1])] == [
        "setWeight 5",
        "pause",
        "analyze",
    ]


@pytest.mark.parametrize(
    ("says", "steps", "stable_replicas", "then"),
    [
        ("whole pods tell them apart", (SetWeight(20), ANALYZE, SetWeight(50), LAST), 2, 1),
        ("one analysis is enough", (SetWeight(20), ANALYZE, SetWeight(50), LAST), 1, 3),
        (
            "three weights, one number of pods",
            (SetWeight(5), ANALYZE, SetWeight(10), ANALYZE, SetWeight(20), LAST),
            4,
            5,
        ),
        (
            "the analysis of a weight that does change pods stays",
            (SetWeight(5), ANALYZE, SetWeight(20), ANALYZE, SetWeight(50), LAST),
            4,
            3,
        ),
        ("a pause stays", (SetWeight(20), Pause(None), SetWeight(50), LAST), 1, 1),
        (
            "what a pause waits for stays, too",
            (SetWeight(20), ANALYZE, Pause(None), SetWeight(50), LAST),
            1,
            1,
        ),
        (
            "an analysis that asks for more requests than the later one stays",
            (SetWeight(20), Analyze(500, 0.0, 1800.0, last=False), SetWeight(50), LAST),
            1,
            1,
        ),
        (
            "an analysis that asks for more time than the later one stays",
            (SetWeight(20), Analyze(50, 60.0, 1800.0, last=False), SetWeight(50), LAST),
            1,
            1,
        ),
        ("no analysis comes later", (SetWeight(20), LAST, SetWeight(50)), 1, 1),
        ("a weight at the end that changes nothing", (SetWeight(20), SetWeight(50)), 1, 2),
        ("the end", (SetWeight(20),), 1, 1),
    ],
)
def test_the_step_that_comes_next(
    says: str, steps: tuple[Step, ...], stable_replicas: int, then: int
) -> None:
    assert following_index(steps, 0, stable_replicas) == then, says


def test_the_steps_that_are_taken_beside_a_number_of_pods() -> None:
    steps = parsed_steps(explicit_steps(None))

    assert steps_taken(steps, 4) == steps
    assert steps_taken(steps, 1) == (steps[0], steps[3])
    assert steps_taken((), 1) == ()


def test_a_shadow_is_an_analysis_before_any_weight_and_never_the_last() -> None:
    found = steps_of({"steps": [{"shadow": {"replicas": 2}}, {"setWeight": 20}]})

    assert found == (Shadow(50, 0.0, 1800.0, last=False, replicas=2), SetWeight(20))


def test_what_a_shadow_is_given_counts_and_is_frozen() -> None:
    given = {"replicas": 3, "minSamples": 7, "minDuration": "1m", "maxDuration": "2h"}
    canary = Canary.model_validate({"steps": [{"shadow": given}, {"setWeight": 20}]})
    explicit = explicit_steps(canary)

    assert parsed_steps(explicit)[0] == Shadow(7, 60.0, 7200.0, last=False, replicas=3)
    assert explicit == canary.steps


def test_a_shadow_is_never_left_out_and_has_no_weight() -> None:
    steps = (Shadow(50, 0.0, 1800.0, last=False), SetWeight(20), ANALYZE, SetWeight(50), LAST)

    assert weight_percent_at(steps, 0) == 0
    assert steps_taken(steps, 1) == (steps[0], SetWeight(20), LAST)
    assert described(steps[0]) == "shadow"
