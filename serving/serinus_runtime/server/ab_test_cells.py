"""What a server counts of an A/B test. It knows one test at a time, so its labels are bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from serinus_runtime.server.exposed_units import ExposedUnits
from serinus_runtime.server.request_cells import Labels, RequestCells, request_samples, sample


class Fallback(StrEnum):
    """Why stable answered a unit of the canary."""

    UNREACHED = "unreached"
    """The canary wasn't asked: nobody was there."""
    NO_ANSWER = "noAnswer"
    """It was asked, and didn't answer as a model server does."""
    TIMEOUT = "timeout"
    """It was asked, and took too long."""


_UNANSWERED = {Fallback.NO_ANSWER: 502, Fallback.TIMEOUT: 504}
"""Under which code a request counts against the canary that it didn't answer."""


@dataclass(slots=True)
class AbTestCells:
    """Cells of a test.

    Attributes
    ----------
    own
        Requests of exposed units that this server's revision answered.
    unanswered
        Requests that the canary was asked and didn't answer: stable answered them, so no client
        knows, but they are the canary's failures.
    """

    test: str
    canary: str
    own: RequestCells = field(default_factory=lambda: RequestCells(exposed=True))
    unanswered: RequestCells = field(default_factory=lambda: RequestCells(exposed=True))
    units: ExposedUnits = field(default_factory=ExposedUnits)
    fallbacks: dict[Fallback, int] = field(default_factory=lambda: dict.fromkeys(Fallback, 0))

    def following(self, test: str, canary: str) -> AbTestCells:
        """The cells of another test: counters of requests go on, as counters do."""
        if canary == self.canary:
            return AbTestCells(test, canary, self.own, self.unanswered)
        return AbTestCells(test, canary, self.own)

    def fell_back(self, why: Fallback, seconds: float) -> None:
        """Stable answers instead of the canary, which was given `seconds`."""
        self.fallbacks[why] += 1
        if why in _UNANSWERED:
            self.unanswered.observe(_UNANSWERED[why], seconds)


def ab_test_samples(cells: AbTestCells, own: Labels) -> dict[str, list[str]]:
    """Lines of all families that a test adds to, by family."""
    families = request_samples(cells.own, {**own, "exposed": "true"})
    if any(cells.fallbacks[why] for why in _UNANSWERED):
        labels = {**own, "revision": cells.canary, "exposed": "true"}
        for name, lines in request_samples(cells.unanswered, labels).items():
            families[name] += lines
    labels = {**own, "test": cells.test}
    return families | {
        "serinus_exposures_total": [
            sample("serinus_exposures_total", {**labels, "arm": arm.value}, count)
            for arm, count in cells.units.counts.items()
        ],
        "serinus_ab_test_fallbacks_total": [
            sample("serinus_ab_test_fallbacks_total", {**labels, "reason": why.value}, count)
            for why, count in cells.fallbacks.items()
        ],
    }
