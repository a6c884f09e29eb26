"""A compiled model that answers: its plan in C where the library is, else by NumPy."""

from __future__ import annotations

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.plan import Plan
from serinus_runtime.artifact.plan_program import tables_of
from serinus_runtime.kernel.plan_kernel import plan_kernel


class PlanPredictor:
    """Answers encoded rows of `n_inputs` values as `plan` says.

    Where C does, the plan isn't kept: its tables are several times as large as what C walks.
    """

    def __init__(self, plan: Plan, n_inputs: int) -> None:
        self.kind: str = plan.kind
        """`linear` or `forest`, as status tells it."""
        tables = tables_of(plan, n_inputs)
        self.kernel = None if tables is None else plan_kernel(tables)
        """The plan in C; None where it isn't."""
        self._answers = plan.answers if self.kernel is None else self.kernel.answers

    def answers(self, rows: FloatArray) -> FloatArray:
        """Probabilities (n_rows, n_classes), or predicted values (n_rows, 1)."""
        return self._answers(rows)
