"""What the file says, what is no policy, and that none means none."""

from pathlib import Path

import pytest

from serinus_runtime.prediction_log.policy import LogPolicy, policy_in


def test_a_policy_is_read(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"samplePercent": 10, "maxAgeSeconds": 86400, "maxSizeBytes": 1024}')

    assert policy_in(file) == LogPolicy(10, 86400, 1024)


def test_without_a_file_there_is_none(tmp_path: Path) -> None:
    assert policy_in(tmp_path / "policy.json") is None


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"samplePercent": 101, "maxAgeSeconds": 1, "maxSizeBytes": 1}', "samplePercent"),
        ('{"samplePercent": -1, "maxAgeSeconds": 1, "maxSizeBytes": 1}', "samplePercent"),
        ('{"samplePercent": 1, "maxSizeBytes": 1}', "maxAgeSeconds"),
        ('{"samplePercent": 1, "maxAgeSeconds": 1, "maxSizeBytes": "1"}', "maxSizeBytes"),
        ("[]", "object"),
        ("{", "line 1"),
    ],
)
def test_what_is_no_policy_says_why(tmp_path: Path, text: str, field: str) -> None:
    file = tmp_path / "policy.json"
    file.write_text(text)

    with pytest.raises(ValueError, match=field):
        policy_in(file)


def test_a_file_that_can_t_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        policy_in(tmp_path)
