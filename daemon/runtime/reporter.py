"""What the owner of a practice says of it now and then, for `chartwire status` on any machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from daemon.config import PracticeConfig
from daemon.runtime.sink import Sink
from daemon.tables.status import Report
from daemon.vendors.ports.vendor import Limits, Opened
from events.ids import PracticeId
from events.writes import System
from projections.rules.holds import FirstDay

RECORDING, FEED, HEAD = "recording", "feed", "head"
"""What of a practice's own work can fail, beside the passes of its connectors: what was read is recorded, what was recorded is published,
and how far it has come is."""

OF_LATE = 300.0
"""Seconds that the used shares of limits are told of: as long as the usual time between two polls."""


class AtWork(Protocol):
    """A practice at work (PracticeRuntime), as far as it is reported."""

    @property
    def config(self) -> PracticeConfig: ...

    @property
    def opened(self) -> Mapping[System, Opened]: ...

    @property
    def sinks(self) -> Mapping[System, Sink]: ...

    @property
    def failing(self) -> dict[str, str]: ...

    @property
    def first_day(self) -> FirstDay: ...


class Reporter:
    """Makes the reports of a worker's practices; keeps recent call counts to compute rates."""

    def __init__(self) -> None:
        self._looks: dict[int, deque[tuple[float, dict[str, int]]]] = {}
        self._looked: float | None = None

    def report(self, practices: Mapping[PracticeId, AtWork], now: float) -> dict[PracticeId, Report]:
        """A report for each practice; `now` is the loop's time in seconds."""
        limits = {id(one): one for practice in practices.values() for one in _limits(practice)}
        used = {key: self._used(key, one, now) for key, one in limits.items()}
        self._looked = now
        return {name: _report(one, [used[id(each)] for each in _limits(one)]) for name, one in practices.items()}

    def _used(self, key: int, limits: Limits, now: float) -> dict[str, float]:
        """The shares of the last `OF_LATE` seconds; limits that are new had all their calls since the last look."""
        new = [] if self._looked is None else [(self._looked, dict[str, int]())]
        looks = self._looks.setdefault(key, deque(new))
        looks.append((now, dict(limits.calls)))
        while len(looks) > 2 and looks[1][0] <= now - OF_LATE:
            looks.popleft()
        since, before = looks[0]
        if now <= since:
            return {}
        return {
            operation: round((count - before.get(operation, 0)) * limits.interval(operation) / (now - since), 4)
            for operation, count in limits.calls.items()
            if count > before.get(operation, 0)
        }


def _limits(practice: AtWork) -> list[Limits]:
    return [one.limits for one in practice.opened.values() if one.limits is not None]


def _report(practice: AtWork, used: Sequence[Mapping[str, float]]) -> Report:
    failing = {
        f"{practice.config.section(role).system.prefix}.{name.partition(':')[0]}": why
        for role, one in practice.opened.items()
        for name, why in one.connector.passes.failing.items()
    }
    return Report(
        failing=failing | practice.failing,
        queued={role: sink.queued for role, sink in practice.sinks.items()},
        budget={operation: share for each in used for operation, share in each.items()},
        first_day=practice.first_day.value,
    )
