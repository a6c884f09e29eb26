"""An API server on which the operator's process dies at a chosen write."""

from dataclasses import dataclass, field

from serinus.reconcile.decision import ObjectRef
from tests.support.fake_kube import FakeKube


class ProcessKilledError(BaseException):
    """No code of the process runs any more."""


@dataclass
class MortalKube(FakeKube):
    """Kills the process at write `kill_at` (from 0), before or after it is carried out."""

    kill_at: int | None = None
    after_commit: bool = False
    begun: int = field(default=0)

    async def _begin(self, operation: str, ref: ObjectRef) -> None:
        if operation not in ("get", "list"):
            self._die_if_due(after_commit=False)
        await super()._begin(operation, ref)

    def _fail_after(self, operation: str, ref: ObjectRef) -> None:
        self._die_if_due(after_commit=True)
        self.begun += 1
        super()._fail_after(operation, ref)

    def _die_if_due(self, *, after_commit: bool) -> None:
        if self.begun == self.kill_at and self.after_commit == after_commit:
            self.kill_at = None
            raise ProcessKilledError
