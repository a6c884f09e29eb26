"""Whether the units of an A/B test were split as planned. Where they weren't, nothing can be said.

A split that is off (sample ratio mismatch) means that units were lost on their way in one arm more
than in the other, and those that were lost are never like those that weren't: whatever the metrics
show is not the versions' difference (Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online
Controlled Experiments", KDD 2019).

The usual chi-square test holds for one look. Here it is looked at with every scrape, so the test is
one that may be: the mixture of all other splits against the planned one is a martingale where the
plan holds, and exceeds 1/p with probability p at most, however often one looks (Lindon, Malek:
"Anytime-Valid Inference For Multinomial Count Data", NeurIPS 2022; Ville's inequality).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

P_OF_A_FALSE_ALARM = 0.001
"""At most this share of tests that are split as planned is ever held."""
_CONCENTRATION = 1000.0
"""Units that the mixture's splits are worth: deviations of a few percent are found first."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Units that were counted, and how they should be split.

    Attributes
    ----------
    pods
        Pods that counted them. A unit counts once on each that it meets, so what looks like so
        many units may be that much fewer: they count for no more than that.
    """

    canary: int
    stable: int
    canary_percent: int
    pods: int = 1

    @property
    def share_percent(self) -> float:
        """Percent of the units that were the canary's; that of the plan where there are none."""
        total = self.canary + self.stable
        return 100 * self.canary / total if total else float(self.canary_percent)


def mismatch_p(ratio: SampleRatio) -> float:
    """The p-value of the planned split, which may be looked at any number of times."""
    planned = ratio.canary_percent / 100
    weight = max(1, ratio.pods)
    canary, stable = ratio.canary / weight, ratio.stable / weight
    a, b = _CONCENTRATION * planned, _CONCENTRATION * (1 - planned)
    log_ratio = (
        _log_beta(a + canary, b + stable)
        - _log_beta(a, b)
        - canary * math.log(planned)
        - stable * math.log1p(-planned)
    )
    return math.exp(min(0.0, -log_ratio))


def is_mismatch(ratio: SampleRatio) -> bool:
    """Whether the units weren't split as planned, beyond doubt."""
    return mismatch_p(ratio) < P_OF_A_FALSE_ALARM


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
