"""What the owner of a practice says of it now and then, for `chartwire status` on any machine. It holds no patient's data."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from events.ids import PracticeId

if TYPE_CHECKING:
    from daemon.runtime.practice import PracticeRuntime
    from daemon.vendors.kareo.limiter import IntervalLimiter


OF_LATE = 300.0
"""Seconds that the shares of Kareo's limits are told of: as long as the usual time between two polls."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`failing` is why a pass fails, by `source.pass`; `queued` the writes in a sink's hands, by system; `budget` the share of
    Kareo's published calls that was used of late, by operation (1.0: no call more fits), for the whole customer key."""

    failing: dict[str, str] = {}
    queued: dict[str, int] = {}
    budget: dict[str, float] = {}


class PracticeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One practice, as `chartwire status` shows it.

    `sources` are seconds since a connector's last complete pass was recorded; `lag` messages of its partition that are not
    recorded yet (None when the broker was not asked or does not answer); `unfed` events not yet published outward; `open_intents`
    (system, state, how many, oldest); `waiting` (code, how many). `report` is its owner's, `report_age` in seconds.
    """

    practice: str
    events: int = 0
    epoch: int = 0
    owner: str = ""
    taken_at: datetime | None = None
    sources: dict[str, float] = {}
    lag: int | None = None
    unfed: int = 0
    open_intents: tuple[tuple[str, str, int, datetime | None], ...] = ()
    waiting: tuple[tuple[str, int], ...] = ()
    report: Report | None = None
    report_age: float | None = None


class Reporter:
    """Makes the reports of a worker's practices; keeps what it needs to tell rates."""

    def __init__(self) -> None:
        self._looks: dict[int, deque[tuple[float, dict[str, int]]]] = {}
        self._looked: float | None = None

    def report(self, practices: Mapping[PracticeId, PracticeRuntime], now: float) -> dict[PracticeId, Report]:
        """A report for each practice; `now` is the loop's time in seconds."""
        limiters = {id(one.limiter): one.limiter for one in practices.values()}
        used = {key: self._used(key, limiter, now) for key, limiter in limiters.items()}
        self._looked = now
        return {name: _report(one, used[id(one.limiter)]) for name, one in practices.items()}

    def _used(self, key: int, limiter: IntervalLimiter, now: float) -> dict[str, float]:
        """The shares of the last `OF_LATE` seconds; a limiter that is new made all its calls since the last look."""
        new = [] if self._looked is None else [(self._looked, dict[str, int]())]
        looks = self._looks.setdefault(key, deque(new))
        looks.append((now, dict(limiter.calls)))
        while len(looks) > 2 and looks[1][0] <= now - OF_LATE:
            looks.popleft()
        since, before = looks[0]
        if now <= since:
            return {}
        return {
            operation: round((count - before.get(operation, 0)) * limiter.interval(operation) / (now - since), 4)
            for operation, count in limiter.calls.items()
            if count > before.get(operation, 0)
        }


def _report(runtime: PracticeRuntime, budget: dict[str, float]) -> Report:
    rounds = {"elation": runtime.ehr.rounds, "kareo": runtime.billing.rounds}
    return Report(
        failing={
            f"{source}.{name.partition(':')[0]}": why for source, one in rounds.items() for name, why in one.failing.items()
        },
        queued={system.value: sink.queued for system, sink in runtime.sinks.items()},
        budget=budget,
    )
