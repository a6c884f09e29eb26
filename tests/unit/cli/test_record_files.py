import io
from pathlib import Path

import pytest

from serinus.api.record_contract import DecisionRecord, line_of
from serinus.cli.errors import CommandError
from serinus.cli.record_files import add_to_file, records_in_files


def a_record(number: int, text: str = "{}") -> DecisionRecord:
    return DecisionRecord("flights", "delay", number, text)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    target = str(tmp_path / "delay.jsonl")

    added = add_to_file(target, [a_record(2), a_record(1)])

    assert added == 2
    assert records_in_files([target]) == (a_record(1), a_record(2))


def test_a_file_grows_by_what_is_new_and_loses_nothing(tmp_path: Path) -> None:
    target = tmp_path / "delay.jsonl"
    add_to_file(str(target), [a_record(1), a_record(2)])

    added = add_to_file(str(target), [a_record(2), a_record(3)])
    written = target.stat().st_ino
    again = add_to_file(str(target), [a_record(3)])

    assert (added, again) == (1, 0)
    assert [one.number for one in records_in_files([str(target)])] == [1, 2, 3]
    assert target.stat().st_ino == written
    assert [one.name for one in tmp_path.iterdir()] == ["delay.jsonl"]


def test_a_record_that_differs_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    target = tmp_path / "delay.jsonl"
    add_to_file(str(target), [a_record(1)])
    before = target.read_bytes()

    with pytest.raises(CommandError, match="`delay-record-1` is there twice"):
        add_to_file(str(target), [a_record(1, text='{"a":1}'), a_record(2)])

    assert target.read_bytes() == before


def test_files_and_folders_are_read_together(tmp_path: Path) -> None:
    store = tmp_path / "store" / "delay"
    store.mkdir(parents=True)
    for number in (3, 4):
        (store / f"{number:09}.json").write_text(line_of(a_record(number)) + "\n")
    (store / ".tmp-0a").write_text("half of")
    add_to_file(str(tmp_path / "old.jsonl"), [a_record(1), a_record(3)])

    found = records_in_files([str(tmp_path / "store"), str(tmp_path / "old.jsonl")])

    assert [one.number for one in found] == [1, 3, 4]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(line_of(a_record(7))))

    assert records_in_files(["-"]) == (a_record(7),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}\n", "line 1: no record"),
        (line_of(a_record(1)).encode() + b"\n" + line_of(a_record(2)).encode()[:-9], "line 2"),
        (b"\xff\xfe", "no text in UTF-8"),
    ],
    ids=["something else", "cut", "no text"],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "delay.jsonl"
    path.write_bytes(content)

    with pytest.raises(CommandError, match=said) as refused:
        records_in_files([str(path)])

    assert str(path) in refused.value.message


@pytest.mark.parametrize("place", ["missing/delay.jsonl", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(CommandError, match=place):
        add_to_file(str(tmp_path / place), [a_record(1)])


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(CommandError, match="no-such-file"):
        records_in_files(["no-such-file"])
