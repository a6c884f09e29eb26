from pathlib import Path

import pytest

from tests.support.golden import assert_matches_golden


def test_the_reviewed_text_passes(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("kind: Job\n")

    assert_matches_golden(tmp_path / "job.yaml", "kind: Job\n", accept=False)


def test_another_text_fails_with_the_diff_and_the_command_that_accepts_it(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("kind: Job\n")

    with pytest.raises(AssertionError, match=r"-kind: Job\n\+kind: CronJob[\s\S]*--accept"):
        assert_matches_golden(tmp_path / "job.yaml", "kind: CronJob\n", accept=False)


def test_a_file_that_nobody_has_reviewed_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"\+kind: Job"):
        assert_matches_golden(tmp_path / "job.yaml", "kind: Job\n", accept=False)

    assert not (tmp_path / "job.yaml").exists()


def test_accepting_writes_the_file_and_its_folder(tmp_path: Path) -> None:
    assert_matches_golden(tmp_path / "manifests/job.yaml", "kind: Job\n", accept=True)

    assert (tmp_path / "manifests/job.yaml").read_text() == "kind: Job\n"
