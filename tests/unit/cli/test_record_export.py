import json
from dataclasses import replace
from pathlib import Path

import pytest

from serinus.api.record_contract import line_of, record_of_line
from serinus.cli.errors import CommandError, ExitCode, NotFoundError
from tests.support.command_line import FakeCluster, commanded
from tests.support.decision_records import (
    at_second,
    deployment_of,
    records_of,
    rolled_back_and_promoted,
)

pytestmark = pytest.mark.slow


def cluster() -> FakeCluster:
    world = rolled_back_and_promoted()
    return FakeCluster([deployment_of(world), *records_of(world)])


NO_CLUSTER = FakeCluster([], forbidden="configmaps")


@pytest.fixture
def exported(tmp_path: Path) -> str:
    target = str(tmp_path / "delay.jsonl")
    commanded(f"history delay --export {target}", cluster())
    return target


def test_all_records_go_to_a_file_in_order(exported: str) -> None:
    lines = [json.loads(line) for line in Path(exported).read_text().splitlines()]

    decisions = [decision for _, decision in rolled_back_and_promoted().recorded()]
    assert [one["record"] for one in lines] == list(range(1, len(decisions) + 1))
    assert [one["decision"] for one in lines] == decisions


def test_they_go_to_standard_output_as_they_are(exported: str) -> None:
    _, text = commanded("history delay --export -", cluster())

    assert text == Path(exported).read_text()


def test_exporting_again_adds_what_is_new(exported: str) -> None:
    before = Path(exported).read_bytes()

    code, text = commanded(f"history delay --export {exported}", cluster())

    assert code is ExitCode.OK
    assert "Deployment `delay`: 0 of" in text
    assert Path(exported).read_bytes() == before


@pytest.mark.parametrize("verb", ["history delay", f"why delay --at {at_second(90)}"])
def test_a_file_answers_as_the_cluster_does(exported: str, verb: str) -> None:
    _, of_cluster = commanded(f"{verb} -o json", cluster())
    _, of_file = commanded(f"{verb} -o json --from {exported}", NO_CLUSTER)

    assert json.loads(of_file) == json.loads(of_cluster)


def test_the_last_decision_in_a_file_is_told_without_a_moment(exported: str) -> None:
    _, text = commanded(f"why delay --from {exported}", NO_CLUSTER)

    assert "isn't there any more" not in text
    assert f"delay-record-{len(rolled_back_and_promoted().records)}" in text


def test_a_report_of_a_file_claims_nothing_of_what_came_after(exported: str) -> None:
    _, text = commanded(f"report delay --from {exported}", NO_CLUSTER)
    _, data = commanded(f"report delay -o json --from {exported}", NO_CLUSTER)

    assert f"These are the records in {exported}." in text
    assert "| the last record |" in text
    assert json.loads(data)["exists"] is None


def test_a_number_that_is_missing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [
        one
        for one in records_of(rolled_back_and_promoted())
        if one["metadata"]["name"] != "delay-record-2"
    ]

    commanded(f"history delay --export {tmp_path / 'delay.jsonl'}", FakeCluster(others))

    assert capsys.readouterr().err == "Records that aren't there: 2.\n"


def test_a_config_map_that_only_looks_like_a_record_is_named() -> None:
    labels = {"serinus.dev/record-of": "delay", "serinus.dev/record": "1"}
    odd = {"kind": "ConfigMap", "metadata": {"name": "odd", "labels": labels}}

    with pytest.raises(CommandError, match="`odd` has the labels of a record"):
        commanded("history delay --export -", FakeCluster([odd]))


def test_what_cannot_be_exported_is_said(exported: str) -> None:
    with pytest.raises(CommandError, match="an export has all records"):
        commanded("history delay --export - --at 1h", cluster())
    with pytest.raises(CommandError, match="`nothing` has no records"):
        commanded("history nothing --export -", cluster())
    with pytest.raises(NotFoundError, match="no record of Deployment `other`"):
        commanded(f"history other --from {exported}", NO_CLUSTER)
    with pytest.raises(NotFoundError, match="in namespace `elsewhere`"):
        commanded(f"history delay --from {exported} -n elsewhere", NO_CLUSTER)


def test_records_of_two_namespaces_are_not_mixed(exported: str, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    first = record_of_line(Path(exported).read_text().splitlines()[0])
    other.write_text(line_of(replace(first, namespace="x")))

    with pytest.raises(CommandError, match="in several namespaces: flights, x"):
        commanded(f"history delay --from {exported} --from {other}", NO_CLUSTER)
    _, text = commanded(f"history delay -o json -n x --from {exported} --from {other}", NO_CLUSTER)

    assert [one["record"] for one in json.loads(text)] == [1]
