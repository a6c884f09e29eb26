"""Files of manifests, and what is said of files that aren't."""

from pathlib import Path

import pytest

from serinus.cli.errors import CommandError
from serinus.cli.manifest_files import is_ours, manifests_in


def test_a_file_may_hold_several_documents_and_empty_ones(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text("a: 1\n---\n---\nb: 2\n")

    assert manifests_in(str(path)) == [{"a": 1}, {"b": 2}]


def test_what_can_t_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        manifests_in(str(tmp_path / "absent.yaml"))


def test_what_is_no_yaml_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("a: [")

    with pytest.raises(CommandError, match="no YAML"):
        manifests_in(str(path))


@pytest.mark.parametrize(
    ("manifest", "ours"),
    [
        ({"apiVersion": "serinus.dev/v1alpha1"}, True),
        ({"apiVersion": "apps/v1"}, False),
        (3, False),
    ],
)
def test_only_objects_of_our_group_are_ours(manifest: object, ours: bool) -> None:
    assert is_ours(manifest) is ours
