"""Figures: what was measured, what is to be reached, and how the control of the same run did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

_PLAIN_WIDTH = 130


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Attributes
    ----------
    at_most, at_least
        What is to be reached; neither: it is only told.
    control
        The same, of the control.
    """

    what: str
    measured: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    control: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the figure is what is to be reached."""
        low = self.at_least is None or self.measured >= self.at_least
        return low and (self.at_most is None or self.measured <= self.at_most)

    @property
    def ratio(self) -> float | None:
        """Measured over control."""
        return self.measured / self.control if self.control else None


def show(title: str, figures: Sequence[Figure], *, control: str) -> int:
    """Print the figures; the exit code: 0 when all are reached."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    table = Table(title=title, title_justify="left", caption=f"control: {control}")
    for heading in ("", "measured", "to reach", "", "control", "ratio"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for one in figures:
        table.add_row(*_cells(one))
    console.print(table)
    return 0 if all(one.reached for one in figures) else 1


def _cells(one: Figure) -> tuple[str, ...]:
    is_told_only = one.at_most is None and one.at_least is None
    goal = "" if is_told_only else _goal(one)
    verdict = "" if is_told_only else ("reached" if one.reached else "missed")
    control = "" if one.control is None else _number(one.control, one.unit)
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    return one.what, _number(one.measured, one.unit), goal, verdict, control, ratio


def _goal(one: Figure) -> str:
    bounds = (("<=", one.at_most), (">=", one.at_least))
    return " ".join(f"{sign} {_number(at, one.unit)}" for sign, at in bounds if at is not None)


def _number(value: float, unit: str) -> str:
    digits = 0 if value == int(value) or abs(value) >= 100 else (1 if abs(value) >= 10 else 3)
    return f"{value:,.{digits}f} {unit}".rstrip()
