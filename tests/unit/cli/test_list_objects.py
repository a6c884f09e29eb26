import json

from tests.support.command_line import FakeCluster, commanded, flights_in_canary


def test_all_objects_are_listed_a_line_each(golden) -> None:
    _, text = commanded("list", flights_in_canary())

    golden("cli/list.txt", text)


def test_of_all_namespaces_each_line_says_which() -> None:
    _, text = commanded("list -A", flights_in_canary())

    assert text.splitlines()[0].startswith("NAMESPACE")
    assert all(line.startswith("flights ") for line in text.splitlines()[1:])


def test_one_kind_alone_can_be_listed() -> None:
    _, text = commanded("list mver -o json", flights_in_canary())

    assert [one["name"] for one in json.loads(text)] == ["boosted-1", "schedule-1"]


def test_an_empty_namespace_says_so_and_where_to_look() -> None:
    _, text = commanded("list", FakeCluster([]))

    assert text == "Serinus has no objects in this namespace (-A: in all).\n"
