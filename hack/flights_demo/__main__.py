"""hack/demo: carry a model from real data to production traffic, and bad ones back.

hack/demo           all of it, then cleans up its namespace
hack/demo --keep    leaves everything running, to look at
hack/demo --encore  with one more scene: a window that leaks the future
hack/demo down      ends what is left: namespace, Serinus, cluster
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from rich.console import Console
from rich.table import Table

from flights_demo import look_around, objects, preparation, story
from flights_demo.cluster import Cluster, proxy
from flights_demo.commands import DemoError, alone
from flights_demo.observer import Observer
from flights_demo.summary import SceneResult, broken_promises, client_errors
from flights_demo.traffic_report import TrafficReport
from flights_demo.view import made_view

_PLAIN_WIDTH = 130
_LOOK_FURTHER = (
    'eval "$(hack/cluster env)"',
    f"kubectl -n {objects.NAMESPACE} get mlops",
    f".venv/bin/kubectl-serinus why {objects.DEPLOYMENT} -n {objects.NAMESPACE}",
    f".venv/bin/kubectl-serinus history {objects.DEPLOYMENT} -n {objects.NAMESPACE}",
)


def main() -> int:
    """Do what the command line says; 0 when every promise was kept."""
    arguments = _parser().parse_args()
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    phases = preparation.Phases(console)
    try:
        with alone():
            if arguments.verb == "down":
                phases.run("clean up", preparation.remove_all)
                return 0
            return _play(console, phases, encore=arguments.encore, keep=arguments.keep)
    except DemoError as error:
        console.print(f"hack/demo: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print(
            "\nhack/demo: stopped; what runs is left running. End it with: hack/demo down"
        )
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hack/demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", nargs="?", choices=["down"], help="end what an earlier demo left")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    parser.add_argument("--encore", action="store_true", help="with the leaking window")
    return parser


def _play(console: Console, phases: preparation.Phases, *, encore: bool, keep: bool) -> int:
    started = time.monotonic()
    images = preparation.prepared(phases)
    results: list[SceneResult] = []
    try:
        report = asyncio.run(
            _scenes(console, images["SERINUS_SERVER_IMAGE"], results, encore=encore)
        )
    except DemoError:
        _look_around(console)
        raise
    finally:
        _tell(console, results)
    problems = broken_promises(results, report)
    if problems:
        _look_around(console)
        for line in look_around.failures_in_words(report.failures):
            console.print(line, markup=False)
    for problem in problems:
        console.print(problem, style="red", markup=False)
    total = sum(report.predictions().values())
    console.print(f"{total:,} predictions in {time.monotonic() - started:.0f} s")
    if keep:
        console.print("Look further:", *_LOOK_FURTHER, "End it with: hack/demo down", sep="\n  ")
    else:
        console.print("To look further: hack/demo --keep, then", *_LOOK_FURTHER, sep="\n  ")
        phases.run("clean up", preparation.remove_namespace)
    return 1 if problems else 0


async def _scenes(
    console: Console, server_image: str, results: list[SceneResult], *, encore: bool
) -> TrafficReport:
    with proxy() as url:
        view = made_view(console)
        cluster = Cluster(url)
        observer = Observer(cluster, view.show)
        try:
            async with asyncio.TaskGroup() as group:
                looking = group.create_task(observer.run())
                await story.told(observer, view, server_image, results, encore=encore)
                looking.cancel()
        except* DemoError as errors:
            raise errors.exceptions[0] from None
        finally:
            view.close()
            await cluster.close()
    return observer.world.traffic


def _tell(console: Console, results: list[SceneResult]) -> None:
    if not results:
        return
    console.print(summary_table(results))
    for result in results[1:]:
        console.print(f"{result.scene.key}  {result.because}", markup=False, soft_wrap=True)


def _look_around(console: Console) -> None:
    for line in look_around.seen():
        console.print(line, markup=False, soft_wrap=True)


def summary_table(results: list[SceneResult]) -> Table:
    """What came of the scenes, as measured."""
    table = Table(title="What happened, as measured", title_justify="left")
    for heading in ("", "scene", "end"):
        table.add_column(heading)
    for heading in ("decided after", "of traffic", "met it", "last met after"):
        table.add_column(heading, justify="right")
    table.add_column("client errors")
    for result in results:
        table.add_row(
            result.scene.key,
            result.scene.title,
            result.end.value,
            f"{result.change_seconds:.0f} s",
            _seconds(result.traffic_seconds),
            f"{result.met:,}",
            _seconds(result.last_met_seconds),
            client_errors(result),
        )
    return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
