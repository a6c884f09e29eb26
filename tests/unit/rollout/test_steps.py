"""Steps as users write them, and as the rules read them."""

from serinus.api.deployment import Canary
from serinus.rollout.steps import (
    Analyze,
    Pause,
    SetWeight,
    described,
    explicit_steps,
    parsed_steps,
    weight_percent_at,
)


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
