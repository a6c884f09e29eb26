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


@pytest.mark.parametrize("text", ["a: 1\nb:\n  c: 1\n  c: 2\n", "a: 1\n\n\nb: {c: 1, c: 2}\n"])
def test_a_key_that_stands_twice_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(text)

    with pytest.raises(CommandError, match=r"twice\.yaml: line 4: `c` stands in line [34]"):
        manifests_in(str(path))


def test_a_key_may_stand_again_in_another_mapping_and_where_one_is_merged(tmp_path: Path) -> None:
    path = tmp_path / "anchors.yaml"
    path.write_text("base: &base {a: 1}\nmade: {<<: *base, a: 2}\nagain: *base\n")

    assert manifests_in(str(path)) == [{"base": {"a": 1}, "made": {"a": 2}, "again": {"a": 1}}]


def test_a_folder_without_manifests_is_told(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("a,b\n")

    with pytest.raises(CommandError, match=r"no file with the ending \.yaml, \.yml, \.json in it"):
        manifests_in(str(tmp_path))


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
