import pytest

from serinus.api.enums import Kind
from serinus.cli.errors import CommandError
from serinus.cli.targets import kind_named, target


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("fset", Kind.FEATURE_SET),
        ("FeatureSet", Kind.FEATURE_SET),
        ("tj", Kind.TRAINING_JOB),
        ("modelversions", Kind.MODEL_VERSION),
        ("modeldeployments", Kind.DEPLOYMENT),
        ("deployment", Kind.DEPLOYMENT),
    ],
)
def test_each_word_of_kubectl_stands_for_its_kind(word: str, kind: Kind) -> None:
    assert kind_named(word) is kind


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["x"], (Kind.DEPLOYMENT, "x")),
        (["mver/x"], (Kind.MODEL_VERSION, "x")),
        (["mver", "x"], (Kind.MODEL_VERSION, "x")),
    ],
)
def test_a_name_alone_means_a_deployment(words: list[str], found: tuple[Kind, str]) -> None:
    assert target(words, default=Kind.DEPLOYMENT) == found


def test_a_name_alone_is_not_enough_where_nothing_is_meant() -> None:
    with pytest.raises(CommandError, match="`x` names no object"):
        target(["x"], default=None)
