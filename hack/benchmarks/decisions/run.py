"""How often rollouts are decided wrongly, and how fast rightly, beside the peers' rules; simulated.

hack/bench decisions                           all cases, 10,000 rollouts each, two processes
hack/bench decisions --rollouts 500 --case 'dead*' --case equal
hack/bench decisions --write                   all cases; then the results file and its page

Seeds are fixed: the same number of rollouts gives the same decisions, on any number of processes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Any

from benchmarks.decisions.case import Case
from benchmarks.decisions.catalogue import catalogue
from benchmarks.decisions.page import PAGE, RESULTS, ROOT, page
from benchmarks.decisions.peers import peers
from benchmarks.decisions.results import case_result, is_reached
from benchmarks.decisions.rules import ALPHA, BETA
from benchmarks.decisions.simulation import Chunk, chunks, played_chunk
from benchmarks.decisions.tally import Tally


def main(arguments: Sequence[str]) -> int:
    """Play, print, and with --write keep; 0 when every figure is reached."""
    options = _parser().parse_args(arguments)
    cases = {name: case for name, case in catalogue().items() if _wanted(name, options.case)}
    if not cases:
        print(f"hack/bench decisions: no case is named so; there are: {', '.join(catalogue())}")
        return 2
    if options.write and len(cases) < len(catalogue()):
        print("hack/bench decisions: --write keeps all cases; leave out --case")
        return 2
    found = {
        name: case_result(cases[name], tally)
        for name, tally in played(cases, options.rollouts, options.processes)
    }
    results = [found[name] for name in cases]
    for result in results:
        print("\n".join(lines(result)))
    if options.write:
        write(results, options.rollouts)
    missed = [result["name"] for result in results if not is_reached(result)]
    print(f"missed: {', '.join(missed)}" if missed else f"all figures of {len(results)} reached")
    return bool(missed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hack/bench decisions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rollouts", type=_at_least_one, default=10_000, metavar="N", help="a case"
    )
    parser.add_argument("--case", action="append", metavar="NAME", help="or a pattern; repeatable")
    parser.add_argument("--processes", type=_at_least_one, default=2, metavar="N")
    parser.add_argument("--write", action="store_true", help=f"{RESULTS} and {PAGE}")
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _wanted(name: str, patterns: Sequence[str] | None) -> bool:
    return patterns is None or any(fnmatch(name, pattern) for pattern in patterns)


def played(cases: Mapping[str, Case], rollouts: int, processes: int) -> Iterator[tuple[str, Tally]]:
    """Each case with its tally, as they are done."""
    began = time.monotonic()
    waiting = {name: len(chunks(case, rollouts)) for name, case in cases.items()}
    tallies = {name: Tally() for name in cases}
    with ProcessPoolExecutor(processes) as pool:
        jobs: dict[Future[Tally], str] = {
            pool.submit(_play, name, chunk): name
            for name, case in cases.items()
            for chunk in chunks(case, rollouts)
        }
        for job in as_completed(jobs):
            name = jobs.pop(job)
            tallies[name].add(job.result())
            waiting[name] -= 1
            if not waiting[name]:
                done = sum(not left for left in waiting.values())
                seconds = time.monotonic() - began
                print(f"[{done:3} of {len(cases)}] {seconds:6.0f} s  {name}", file=sys.stderr)
                yield name, tallies.pop(name)


def _play(name: str, chunk: Chunk) -> Tally:
    return played_chunk(catalogue()[name], chunk)


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """A case for the terminal."""
    mine = result["product"]
    low, high = (100 * one for one in mine["rolled_back_interval"])
    row = f" (row {result['row']})" if result["row"] else ""
    yield f"{result['name']}{row}: {result['title']}; {result['rollouts']:,} rollouts"
    yield (
        f"  Serinus     rolled back {_percent(mine['rolled_back'], result)} "
        f"({low:.2f} to {high:.2f}), promoted {_percent(mine['promoted'], result)}"
        f"{_delays(mine)}"
    )
    if result["bound"]:
        bound = result["bound"]
        yield (
            f"  bound       {bound['requests']:,.0f} canary requests, {bound['seconds']:.0f} s; "
            f"Serinus took {mine['mean_over_bound'] or '-'} times as many on average"
        )
    for short, found in result["peers"].items():
        yield (
            f"  {short:12}rolled back {_percent(found['rolled_back'], result)}, "
            f"promoted {_percent(found['promoted'], result)}{_delays(found)}"
        )
    for one in result["requirements"]:
        sign = "ok    " if one["reached"] else "MISSED"
        yield f"  {sign} {one['measure']}: {one['measured']} {one['sense']} {one['limit']:g}"
    if result["whole_way_differs"]:
        yield f"  MISSED {result['whole_way_differs']} rollouts differ by samples and by rounds"


def _percent(count: int, result: Mapping[str, Any]) -> str:
    return f"{100 * count / result['rollouts']:.2f} %"


def _delays(found: Mapping[str, Any]) -> str:
    if found["median_seconds"] is None:
        return ""
    ninety_fifth = found["p95_seconds"]
    late = "-" if ninety_fifth is None else f"{ninety_fifth:.0f}"
    return f"; median {found['median_seconds']:.0f} s, 95 % within {late} s"


def write(results: Sequence[Mapping[str, Any]], rollouts: int) -> None:
    """Keep the results, and the page that is made of them."""
    kept = {
        "date": datetime.now(UTC).date().isoformat(),
        "rollouts": rollouts,
        "alpha": ALPHA,
        "beta": BETA,
        "peers": [{"short": peer.short, "name": peer.name} for peer in peers(15)],
        "cases": results,
    }
    (ROOT / RESULTS).write_text(text(kept))
    (ROOT / PAGE).write_text(page(kept))
    print(f"written: {RESULTS}, {PAGE}")


def text(kept: Mapping[str, Any]) -> str:
    """JSON with a line for each case, so that a difference shows which ones changed."""
    head = {key: value for key, value in kept.items() if key != "cases"}
    cases = ",\n".join(json.dumps(case) for case in kept["cases"])
    return json.dumps(head)[:-1] + f', "cases": [\n{cases}\n]}}\n'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
