"""Rounds: the slices of time in which canary and stable are compared with each other.

A round closes at the first scrape at which each live pod of both revisions has been scraped since
the last round closed. It follows from the samples' timestamps alone, so the same samples give the
same rounds however often and whenever somebody asked; a restarted operator repeats them.

A pod that was silent for 2.5 scrape intervals no longer holds a round open. Where nothing at all
was scraped (the metrics provider was away), silence is counted from when scrapes began again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SILENCE_INTERVALS = 2.5
LOOKBACK_INTERVALS = 5


@dataclass(frozen=True, slots=True)
class Round:
    """What happened after `start_ms` and up to `end_ms` (Unix milliseconds)."""

    start_ms: int
    end_ms: int


def silence_ms(scrape_interval_ms: int) -> int:
    """After this long without a sample a pod doesn't hold a round open."""
    return round(SILENCE_INTERVALS * scrape_interval_ms)


def lookback_ms(scrape_interval_ms: int) -> int:
    """How far before a round's start samples are looked at, for baselines and for who is live."""
    return LOOKBACK_INTERVALS * scrape_interval_ms


def closed_rounds(
    scrapes: Mapping[str, Sequence[int]], *, after_ms: int, scrape_interval_ms: int
) -> tuple[Round, ...]:
    """Rounds that the scrapes close after `after_ms`, oldest first.

    Parameters
    ----------
    scrapes
        For each pod the times of its samples in milliseconds, ascending; they should reach back
        to `after_ms - lookback_ms(...)`.
    """
    silence = silence_ms(scrape_interval_ms)
    horizon = after_ms - lookback_ms(scrape_interval_ms)
    events = sorted({at for times in scrapes.values() for at in times if at > horizon})
    rounds: list[Round] = []
    start, previous, scraping_since = after_ms, None, horizon
    for event in events:
        if previous is not None and event - previous > silence:
            scraping_since = event
        elif previous is None and event - horizon > silence:
            scraping_since = event
        previous = event
        if event > start and _all_live_seen(
            scrapes,
            start,
            event,
            silence=silence,
            scraping_since=scraping_since,
            forget_before=start - lookback_ms(scrape_interval_ms),
        ):
            rounds.append(Round(start, event))
            start = event
    return tuple(rounds)


def _all_live_seen(
    scrapes: Mapping[str, Sequence[int]],
    start: int,
    event: int,
    *,
    silence: int,
    scraping_since: int,
    forget_before: int,
) -> bool:
    for times in scrapes.values():
        index = bisect_right(times, event)
        last = times[index - 1] if index else forget_before
        if last > start or last <= forget_before:
            continue
        if event - max(last, scraping_since) < silence:
            return False
    return True
