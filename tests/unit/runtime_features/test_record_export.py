"""Records of decisions on their way into the store: once, in full, and never over another."""

from pathlib import Path
from typing import Any

import pytest

from serinus.api.record_contract import record_in, record_of_line
from serinus.cli.record_files import records_in_files
from serinus_runtime.config_maps import ServiceAccount
from serinus_runtime.record_export import Exported, export, main
from serinus_runtime.store import Store


def a_record(number: int, text: str = '{"action":"promote"}') -> dict[str, Any]:
    labels = {"serinus.dev/record-of": "delay", "serinus.dev/record": str(number)}
    return {
        "metadata": {"name": f"delay-record-{number}", "namespace": "flights", "labels": labels},
        "data": {"decision.json": text},
    }


def contents(store: Store) -> dict[str, bytes]:
    return {
        path.relative_to(store.root).as_posix(): path.read_bytes()
        for path in store.root.rglob("*")
        if path.is_file()
    }


def test_each_record_becomes_a_file_of_its_own_named_by_its_number(tmp_path: Path) -> None:
    store = Store(tmp_path)

    exported = export([a_record(2), a_record(10)], store)

    assert exported == Exported(added=2, known=0, problems=())
    assert sorted(contents(store)) == [
        "records/flights/delay/000000002.json",
        "records/flights/delay/000000010.json",
    ]


def test_what_is_there_is_left_as_it_is_and_what_is_new_is_added(tmp_path: Path) -> None:
    store = Store(tmp_path)
    export([a_record(1)], store)
    file = store.record("flights", "delay", 1)
    before = file.stat().st_ino, file.stat().st_mtime_ns

    exported = export([a_record(1), a_record(2)], store)

    assert exported == Exported(added=1, known=1, problems=())
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before


def test_a_record_that_is_gone_stays_in_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    export([a_record(1), a_record(2)], store)
    before = contents(store)

    export([a_record(2)], store)

    assert contents(store) == before


def test_a_record_that_differs_is_named_and_all_others_are_copied(tmp_path: Path) -> None:
    store = Store(tmp_path)
    export([a_record(1)], store)
    before = store.record("flights", "delay", 1).read_bytes()

    exported = export([a_record(1, text="{}"), a_record(2)], store)

    assert exported.added == 1
    [problem] = exported.problems
    assert "`delay-record-1` isn't what the store has" in problem
    assert "file:///store/records/flights/delay/000000001.json" in problem
    assert store.record("flights", "delay", 1).read_bytes() == before


def test_what_only_looks_like_a_record_is_named(tmp_path: Path) -> None:
    odd = a_record(1) | {"data": {}}

    exported = export([odd, a_record(2)], Store(tmp_path))

    assert exported.added == 1
    assert "ConfigMap `delay-record-1`" in exported.problems[0]


def test_a_copy_of_the_folder_answers_the_command_line(tmp_path: Path) -> None:
    store = Store(tmp_path)
    export([a_record(10), a_record(9, text='{"cut":')], store)

    found = records_in_files([str(store.root / "records")])

    assert found == (record_in(a_record(9, text='{"cut":')), record_in(a_record(10)))
    assert record_of_line(store.record("flights", "delay", 10).read_text()) == found[1]


def test_a_store_that_cannot_be_written_ends_the_job_for_kubernetes_to_try_again(
    tmp_path: Path,
) -> None:
    in_the_way = tmp_path / "records"
    in_the_way.write_text("a file where the folder should be")

    with pytest.raises(OSError, match="records"):
        export([a_record(1)], Store(tmp_path))


def test_without_an_api_server_the_job_fails(tmp_path: Path) -> None:
    account = ServiceAccount("https://127.0.0.1:1", "flights", "secret", tmp_path / "no-ca.crt")

    assert main(account, Store(tmp_path)) == 1
