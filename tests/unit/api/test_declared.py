"""What the platform team declared: chosen by name, for some namespaces or for all."""

from dataclasses import dataclass

import pytest

from serinus.api.declared import each_by_its_name, is_for


@dataclass(frozen=True)
class Entry:
    name: str
    namespaces: tuple[str, ...] = ()


def test_names_tell_entries_apart() -> None:
    entries = (Entry("a"), Entry("b"))

    assert each_by_its_name(entries, called="things") == entries


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two things bear the same name: a, a, b"):
        each_by_its_name((Entry("a"), Entry("b"), Entry("a")), called="things")


@pytest.mark.parametrize(
    ("namespaces", "fits"), [((), True), (("team",), True), (("other",), False)]
)
def test_an_entry_is_for_its_namespaces_or_for_all(namespaces: tuple[str, ...], fits: bool) -> None:
    assert is_for(Entry("a", namespaces), "team") is fits
