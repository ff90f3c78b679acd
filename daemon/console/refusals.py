"""Which refusals of who is not signed in go into the access log by themselves, and which are counted: nobody fills a log by knocking.

A log that nobody can shorten must not grow as fast as somebody can ask. From one network so many of an hour are recorded one by one, of all
networks together so many more; after that one record a doubling says how many there were. What users do is recorded always.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from daemon.console.senders import network_of

HOUR = 3600.0
EACH, ALL = 100, 1000
"""Recorded one by one within an hour: from one network, and of all of them together."""

MOST_NETWORKS = 10_000
"""Counted apart; those that come later are one."""

ELSEWHERE = "elsewhere"


class Refusals:
    """The counts of this hour, of one process. `clock` are seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._counts: Counter[str] = Counter()
        self._all = 0

    def noted(self, address: str) -> str | None:
        """Count one. What its record says of the count: "" while each is recorded, None where this one is not recorded."""
        if self._clock() - self._began >= HOUR:
            self._began, self._all = self._clock(), 0
            self._counts.clear()
        network = network_of(address)
        if network not in self._counts and len(self._counts) >= MOST_NETWORKS:
            network = ELSEWHERE
        self._counts[network] += 1
        self._all += 1
        if self._all > ALL:
            return f"{self._all} of everybody within the hour" if _doubled(self._all) else None
        count = self._counts[network]
        if count > EACH:
            return f"{count} from there within the hour" if _doubled(count) else None
        return ""


def _doubled(count: int) -> bool:
    """Whether it is a power of two."""
    return count & (count - 1) == 0
