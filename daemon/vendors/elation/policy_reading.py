"""Reading the chart side's policies, of which no event tells: soon where something hints at them, else in a round, within a budget.

Hints are a chart that was saved (its old copy of the insurance moves late), and a patient who checks in: the front desk sees the
insurance then. A write of ours is read back, too, so that whatever comes after it is news.
"""

from __future__ import annotations

import asyncio
import heapq
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

import structlog

from daemon.vendors.elation import translate
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.ports.errors import Malformed, Refused
from daemon.vendors.ports.intake import Intake, Observation
from daemon.vendors.ports.passes import AWAY_AFTER, Passes
from events.ids import EhrChartId
from events.insurance import EhrPoliciesObserved
from events.schema import ChangeQuarantined
from events.store import AWAY
from events.text import name
from events.topics import aside_of
from events.writes import System

log = structlog.get_logger()

DAY = 86_400.0
OF_THE_ROUND = 5 / 6
"""The share of the day's readings that the round takes at most; the rest is for hints."""
OPERATION = "elation.policies"
BUDGET = "policy reads"
"""The checkpoint that the budget is kept in."""
HOUR = 3_600.0
LATER = 60.0
"""Seconds after which a chart that could not be had is read again, at least."""
KEPT_EVERY = 25
"""Readings after which the budget is kept: so many are forgotten at most where a worker is killed."""
HINTS = "policy hints"
"""The checkpoint for the charts that something hints at, or that could not be had: whoever goes on after a worker reads them."""
MOST_HINTS = 500
"""So many are kept, those due first; after a restart the others wait for the round."""
HINTS_EVERY = 15.0
"""Seconds from one time that hints are kept to the next, at least: those that came since are forgotten where a worker is killed."""
_HOUR = re.compile(r"(\d{1,9}):(\d{1,7})", re.ASCII)
_HINT = re.compile(r"(\d{1,18})@(\d{1,12})", re.ASCII)


class PolicyBudget:
    """At most `per_day` readings within any 24 hours. To `chartwire status` it is a limit like a vendor's (`ports.vendor.Limits`)."""

    def __init__(self, per_day: int, clock: Callable[[], float]) -> None:
        self.per_day = per_day
        self.calls: dict[str, int] = {}
        self._clock = clock
        self._made: deque[float] = deque()

    def interval(self, operation: str) -> float:
        """Seconds between two readings that the budget allows on average."""
        return DAY / self.per_day

    def taken_over(self) -> None:
        """Another owner's readings are restored from what it kept; its round went on where the clock says that this one begins."""

    def allows(self, share: float = 1.0) -> bool:
        """Whether one more reading stays within this share of the day's."""
        while self._made and self._made[0] <= self._clock() - DAY:
            self._made.popleft()
        return len(self._made) < self.per_day * share

    def spend(self) -> None:
        self._made.append(self._clock())
        self.calls[OPERATION] = self.calls.get(OPERATION, 0) + 1

    def kept(self, now: datetime) -> str:
        """The readings of the last 24 hours by the hour, as text: what an owner after this one goes on from."""
        hours = Counter(int((now.timestamp() - (self._clock() - at)) // HOUR) for at in self._made)
        return " ".join(f"{hour}:{count}" for hour, count in sorted(hours.items()))

    def restore(self, kept: str, now: datetime) -> None:
        """Count what was read before. A reading counts as made in the last second of its hour, at the latest now: it is rather
        counted for too long than forgotten."""
        for one in map(_HOUR.fullmatch, kept.split()):
            if one is not None:
                age = max(0.0, now.timestamp() - (int(one[1]) + 1) * HOUR + 1.0)
                made = [self._clock() - age] * min(int(one[2]), self.per_day)
                self._made.extend(made if age < DAY else ())


class PolicyReader:
    """Reads policies of one practice's charts. `looks` are the seconds after a check-in at which they are read, `round_seconds` how
    long a round takes at least; `kept` gives what an owner before has kept, by checkpoint: of the budget, and of the hints."""

    def __init__(
        self,
        client: ElationClient,
        intake: Intake,
        passes: Passes,
        budget: PolicyBudget,
        *,
        known_charts: Callable[[], Awaitable[list[str]]],
        kept: Callable[[str], Awaitable[str | None]],
        looks: Sequence[float],
        round_seconds: float,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._intake = intake
        self._passes = passes
        self._budget = budget
        self._known_charts = known_charts
        self._kept = kept
        self._looks = looks
        self._round_seconds = round_seconds
        self._now = now
        self._clock = clock
        self._urgent: dict[EhrChartId, None] = {}
        self._later: list[tuple[float, EhrChartId]] = []
        self._woken = asyncio.Event()
        self._round: list[EhrChartId] = []
        self._next = self._pace = 0.0
        self._failures = 0
        self._hints = ""
        self._hints_kept = float("-inf")

    def soon(self, chart: EhrChartId) -> None:
        """Something hints that the chart's policies have changed, or they were never read."""
        self._urgent[chart] = None
        self._passes.hinted.add(str(chart))
        self._woken.set()

    def checked_in(self, chart: EhrChartId) -> None:
        """The patient checks in: the policies are edited within the next minutes, if at all."""
        for seconds in self._looks:
            heapq.heappush(self._later, (self._clock() + seconds, chart))
        self._woken.set()

    async def run(self) -> None:
        """Read until cancelled, and go on from what was kept of the budget and of the hints."""
        await self._passes.until_done("policy budget", self._restore)
        while True:
            self._woken.clear()
            if self._is_to_keep():
                await self._passes.until_done(HINTS, self._keep_hints)
            chart, pause = await self._due()
            if chart is not None:
                await self._read_one(chart)
                continue
            if self._hinted() != self._hints:
                pause = min(pause, HINTS_EVERY)
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _read_one(self, chart: EhrChartId) -> None:
        """A chart that cannot be had comes again later and keeps no other; where several in a row cannot, it is Elation: then all wait."""
        failed = await self._passes.tried("policies", partial(self.read, chart), self._failures + 1)
        if failed is None or not failed.passing:
            self._failures = 0
            if chart not in self._urgent:
                self._passes.hinted.discard(str(chart))
            return
        self._failures += 1
        heapq.heappush(self._later, (self._clock() + max(failed.pause, LATER), chart))
        if self._failures >= AWAY_AFTER:
            await self._passes.wait(failed.pause)

    async def _restore(self) -> None:
        self._budget.restore(await self._kept(BUDGET) or "", self._now())
        now = self._now().timestamp()
        for one in map(_HINT.fullmatch, (await self._kept(HINTS) or "").split()):
            if one is not None:
                pause = min(max(0.0, int(one[2]) - now), DAY)
                heapq.heappush(self._later, (self._clock() + pause, EhrChartId(int(one[1]))))

    def _hinted(self) -> str:
        """The charts that something hints at, or that could not be had, and when each is due; as text, the first ones first."""
        began = self._now().timestamp() - self._clock()
        later = sorted((round(began + due), chart) for due, chart in self._later)
        soon = [(0, chart) for chart in self._urgent]
        return " ".join(f"{chart}@{due}" for due, chart in [*soon, *later][:MOST_HINTS])

    def _is_to_keep(self) -> bool:
        return self._clock() >= self._hints_kept + HINTS_EVERY and self._hinted() != self._hints

    async def _keep_hints(self) -> None:
        """Nobody waits for it to be recorded."""
        hints = self._hinted()
        await self._intake.checkpoint(HINTS, hints, within=0.0)
        self._hints, self._hints_kept = hints, self._clock()

    async def _keep(self) -> None:
        """Now and then what was spent is kept. Nobody waits for that to be recorded."""
        if self._budget.calls[OPERATION] % KEPT_EVERY == 0:
            await self._intake.checkpoint(BUDGET, self._budget.kept(self._now()), within=0.0)

    async def _due(self) -> tuple[EhrChartId | None, float]:
        """The chart to read now; else None, and how long nothing is due."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            self._urgent[heapq.heappop(self._later)[1]] = None
        if not self._budget.allows():
            return None, self._budget.interval(OPERATION)
        if self._urgent:
            hinted = next(iter(self._urgent))
            del self._urgent[hinted]
            return hinted, 0.0
        if now >= self._next and self._budget.allows(OF_THE_ROUND) and (chart := await self._of_the_round()) is not None:
            return chart, 0.0
        pause = max(1.0, self._next - now)
        return None, min(pause, self._later[0][0] - now) if self._later else pause

    async def _of_the_round(self) -> EhrChartId | None:
        """The next chart of the round, which goes no faster than the budget.

        The clock tells where the first one begins: where an owner before this one would be by now, so that no chart waits longer.
        """
        if not self._round:
            try:
                charts = sorted(EhrChartId(int(record)) for record in await self._known_charts())
            except AWAY:  # the round begins once the database is back
                self._next = self._clock() + LATER
                return None
            fastest = self._budget.interval(OPERATION) / OF_THE_ROUND
            pace = max(self._round_seconds / max(1, len(charts)), fastest)
            if not self._pace and charts:
                lap = pace * len(charts)
                charts = charts[int(self._now().timestamp() % lap / pace) :]
            self._round, self._pace = charts[::-1], pace
        self._next = self._clock() + self._pace
        return self._round.pop() if self._round else None

    async def read_known(self) -> None:
        """The policies of all charts that are known, once."""
        for record in await self._known_charts():
            await self.read(EhrChartId(int(record)))

    async def read(self, chart: EhrChartId) -> None:
        """All policies of a chart, as they are now."""
        self._budget.spend()
        await self._keep()
        read_at = self._now()
        try:
            policies = await self._client.list_policies(chart)
        except Malformed as error:
            body = ChangeQuarantined(
                system=System.EHR, resource="policies", record=str(chart), path=name(error.path), reason="does not fit"
            )
            seen = Observation(body=body, resource=aside_of("policies"), record=str(chart), read_at=read_at)
            await self._intake.observe([seen])
            return
        except Refused as error:  # a chart that is gone has no policies, and is found out elsewhere
            log.info("reading_failed", practice=self._intake.practice, operation=error.operation)
            return
        body_ = EhrPoliciesObserved(chart=chart, policies=translate.chart_policies(policies))
        await self._intake.observe(
            [Observation(body=body_, resource="policies", record=str(chart), ehr=chart, read_at=read_at, parent=str(chart))]
        )
