"""What was measured of each server, and the ratios that are to be reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, show
from benchmarks.serving.load import Seen
from benchmarks.serving.peers import CONTROL, OURS, OURS_GRPC, WITH_LOGS

_PLAIN_WIDTH = 150
ONE_ROW_16 = (1, 16)
MANY_ROWS_16 = (32, 16)
ONE_ROW_ALONE = (1, 1)


@dataclass(frozen=True, slots=True)
class Cell:
    """One load. `cpu_seconds` of the server's processes while it went on."""

    seen: Seen
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """One server with one model; without cells it didn't start."""

    server: str
    model: str
    start_seconds: float = 0.0
    pss_mb: float = 0.0
    cells: Mapping[tuple[int, int], Cell] = field(default_factory=dict)

    def per_second(self, cell: tuple[int, int]) -> float:
        """Requests a second; 0 where it didn't start."""
        return self.cells[cell].seen.per_second if self.cells else 0.0

    def line(self) -> str:
        """In a few words."""
        rates = ", ".join(f"{self.per_second(cell):,.0f}" for cell in self.cells)
        return f"{self.model} {self.server}: {rates} requests/s"


def show_results(results: Sequence[Result]) -> int:
    """Print tables and ratios; 0 when each that could be measured is reached."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    for model in dict.fromkeys(result.model for result in results):
        console.print(_table(model, [one for one in results if one.model == model]))
    goals = (*GOALS, *BURDENS)
    figures = [figure for goal in goals if (figure := goal.figure(results)) is not None]
    return show("To reach, by ratio", figures, control="the other server, in the same run")


def _table(model: str, results: Sequence[Result]) -> Table:
    table = Table(title=model, title_justify="left")
    table.add_column("")
    cells = next((result.cells for result in results if result.cells), {})
    for rows, connections in cells:
        table.add_column(f"{rows} x {connections}\nrequests/s", justify="right")
    for heading in ("p50 / p99 ms\n1 x 1", "p50 / p99 ms\n1 x 16", "CPU us\n1 x 16"):
        table.add_column(heading, justify="right")
    for heading in ("failed", "PSS MB", "start s"):
        table.add_column(heading, justify="right")
    for result in results:
        if not result.cells:
            table.add_row(result.server, "didn't start")
            continue
        alone, usual = result.cells[ONE_ROW_ALONE], result.cells[ONE_ROW_16]
        table.add_row(
            result.server,
            *(f"{cell.seen.per_second:,.0f}" for cell in result.cells.values()),
            f"{alone.seen.p50_ms:.2f} / {alone.seen.p99_ms:.2f}",
            f"{usual.seen.p50_ms:.2f} / {usual.seen.p99_ms:.2f}",
            f"{usual.cpu_seconds / max(1, usual.seen.requests) * 1e6:,.0f}",
            str(sum(cell.seen.failed for cell in result.cells.values())),
            f"{result.pss_mb:,.0f}",
            f"{result.start_seconds:.1f}",
        )
    return table


@dataclass(frozen=True, slots=True)
class Goal:
    """How many times as many requests a second one server is to answer as another."""

    model: str
    other: str
    cell: tuple[int, int]
    at_least: float
    server: str = OURS

    def figure(self, results: Sequence[Result]) -> Figure | None:
        """The ratio; None where one of both wasn't measured."""
        found = {one.server: one for one in results if one.model == self.model and one.cells}
        if not {self.server, self.other} <= found.keys():
            return None
        ours, theirs = (found[name].per_second(self.cell) for name in (self.server, self.other))
        rows, connections = self.cell
        who = "" if self.server == OURS else f"{self.server}, "
        what = f"{who}{self.model}, {rows} x {connections}: times {self.other}"
        return Figure(what, ours / max(theirs, 1e-9), "x", at_least=self.at_least)


GOALS = (
    Goal("iris", "KServe", ONE_ROW_16, 15),
    Goal("iris", "MLServer in process", ONE_ROW_16, 13),
    Goal("iris", "MLServer", ONE_ROW_16, 25),
    Goal("iris", "MLflow", ONE_ROW_16, 18),
    Goal("iris", "bentoml serve", ONE_ROW_16, 30),
    Goal("iris", CONTROL, ONE_ROW_16, 1.0),
    Goal("iris", "raw ASGI, our predictor", ONE_ROW_16, 1.0),
    Goal("iris", "raw ASGI, our predictor", MANY_ROWS_16, 1.0),
    Goal("iris", "floor, our predictor", ONE_ROW_16, 0.6),
    Goal("iris", "raw ASGI, our predictor", ONE_ROW_16, 1.0, server=WITH_LOGS),
    Goal("iris", OURS, ONE_ROW_16, 0.85, server=WITH_LOGS),
    Goal("iris", OURS, MANY_ROWS_16, 0.80, server=WITH_LOGS),
    Goal("iris", "KServe, gRPC", ONE_ROW_16, 1.5, server=OURS_GRPC),
    Goal("iris", "MLServer in process, gRPC", ONE_ROW_16, 1.5, server=OURS_GRPC),
    Goal("forest", "KServe", ONE_ROW_16, 100),
    Goal("forest", "KServe", MANY_ROWS_16, 30),
    Goal("forest", "floor, our predictor", ONE_ROW_16, 0.7),
)


@dataclass(frozen=True, slots=True)
class Burden:
    """How much of what another server takes of a machine we may take."""

    model: str
    other: str
    what: str
    of: Callable[[Result], float]
    at_most: float

    def figure(self, results: Sequence[Result]) -> Figure | None:
        """The ratio; None where one of both wasn't measured."""
        found = {one.server: one for one in results if one.model == self.model and one.cells}
        if not {OURS, self.other} <= found.keys():
            return None
        ratio = self.of(found[OURS]) / max(self.of(found[self.other]), 1e-9)
        return Figure(
            f"{self.model}, {self.what}: times {self.other}", ratio, "x", at_most=self.at_most
        )


def _memory(result: Result) -> float:
    return result.pss_mb


def _start(result: Result) -> float:
    return result.start_seconds


BURDENS = (
    Burden("iris", "KServe", "memory", _memory, 0.5),
    Burden("iris", "KServe", "start", _start, 0.4),
    Burden("iris", "MLflow", "start", _start, 0.2),
)
