"""hack/bench NAME [OPTION...]: run one benchmark.

Each prints its figures beside those to reach, and the ratio to a control that was measured in the
same run: on another machine, or a busy one, the ratio is what can be compared. The exit code is 0
when all figures are reached.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

BENCHMARKS = {
    "control-loop": "benchmarks.control_loop.run",
    "decisions": "benchmarks.decisions.run",
    "rollback-latency": "benchmarks.rollback_latency.run",
    "serving": "benchmarks.serving.run",
    "soak": "benchmarks.soak.run",
}
"""Modules by name, each with `main(arguments) -> exit code`; only the one asked for is imported."""

_TERMINATED = 128 + signal.SIGTERM


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark that is named first; the rest is its own."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    # As an exception it lets what was started be ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    name, *options = arguments
    if name not in BENCHMARKS:
        print(f"hack/bench: there is no `{name}`; there are: {', '.join(BENCHMARKS)}")
        return 2
    code: int = importlib.import_module(BENCHMARKS[name]).main(options)
    return code


def usage() -> str:
    """The help text: how it is called, and what each benchmark measures."""
    width = max(map(len, BENCHMARKS))
    lines = [f"  {name:<{width}}  {_headline(module)}" for name, module in BENCHMARKS.items()]
    return "\n".join([(__doc__ or "").rstrip(), "", *lines])


def _headline(module: str) -> str:
    """First line of the module's docstring, read without running it."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or ""
    return text.partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
