"""Carrying out intents against one system: in order per patient, effectively once, every step an event (DESIGN section 4).

requested -> attempted (recorded BEFORE the call, with the epoch) -> succeeded | refused | unknown. An unknown outcome is
settled by looking, never by repeating blindly. Throttled and unreachable mean that nothing was done: the same attempt goes
on after a pause. Whatever keeps failing becomes a waiting item of the practice, and stays one until it works again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from daemon.runtime.recorder import PracticeRecorder, Recording
from daemon.runtime.system_health import VISIBLE_AFTER, Trouble
from daemon.telemetry import Meter
from daemon.vendors.ports.errors import (
    ChangedMeanwhile,
    Malformed,
    NotAsWritten,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
)
from events.ids import PRACTICE, BillingPatientId, EhrChartId, PatientKey, charts_of
from events.records import type_of
from events.schema import (
    Body,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentSucceeded,
    IntentSuperseded,
    Origin,
)
from events.store import AWAY, Fenced
from events.writes import AnyResult, AnyWrite, System, changes_nothing
from projections.deciding.intents import observed_only
from projections.state.open_intents import UNDER_WAY, OpenIntent
from projections.state.state import PracticeState

log = structlog.get_logger()

LEAST_PAUSE = 0.05


class Writer(Protocol):
    """What knows how to carry out writes in one system."""

    async def write(self, wanted: Callable[[], AnyWrite]) -> AnyResult:
        """Do what is `wanted`, asked again after every wait: some of it may have been agreed otherwise meanwhile.

        Raises the errors of `daemon.vendors.errors`, NotAsWritten or ChangedMeanwhile.
        """

    async def look_up(self, write: AnyWrite) -> AnyResult | None:
        """Whether an attempt whose answer was lost has done it: the result, or None when it certainly has not."""


@dataclass(frozen=True)
class Pace:
    """Seconds: pauses between tries grow from `first` to `longest`; an unknown outcome is looked for after each of `looks`."""

    first: float = 1.0
    longest: float = 300.0
    looks: tuple[float, ...] = (1.0, 15.0)

    def pause(self, failures: int) -> float:
        """Exponential, with full jitter."""
        return random.uniform(0.5, 1.0) * min(self.longest, self.first * 2.0 ** min(failures, 12))


@dataclass
class _Lane:
    """One patient's work for this system: what is to do next, in order of request."""

    jobs: dict[str, OpenIntent] = field(default_factory=dict)
    busy: bool = False


class Sink:
    """The worker pool of one practice and system; `offer` is called after every recording."""

    def __init__(
        self,
        system: System,
        writer: Writer,
        recorder: PracticeRecorder,
        *,
        workers: int,
        pace: Pace,
        now: Callable[[], datetime],
        meter: Meter,
    ) -> None:
        self.system = system
        self._writer = writer
        self._recorder = recorder
        self._workers = workers
        self._pace = pace
        self._now = now
        self._meter = meter
        self._lanes: dict[PatientKey, _Lane] = {}
        self._ready: asyncio.Queue[PatientKey] = asyncio.Queue()
        self._running: set[str] = set()
        self._newest: dict[str, OpenIntent] = {}
        self._trouble = Trouble(system, recorder, now)
        self._closing = False
        self._quiet = asyncio.Event()
        self._quiet.set()

    # -- what is to do ----------------------------------------------------------------------------------------------------

    def offer(self, recording: Recording, *, resume: bool = False) -> None:
        """Take note of the open intents after a recording; with `resume` (after a take-over) also of unsettled ones."""
        for key in recording.gone:
            if (lane := self._lanes.get(key)) is not None:
                lane.jobs = {}  # they go on under the key of the patient that absorbed this one
                if not lane.busy:
                    del self._lanes[key]
        for key, patient in recording.patients.items():
            self._queue(key, patient.intents, resume)
        if recording.directory is not None:
            self._trouble.recall(recording.directory)
            self._queue(PRACTICE, recording.directory.intents, resume)

    def _queue(self, key: PatientKey, intents: dict[str, OpenIntent], resume: bool) -> None:
        states = ("requested", *UNDER_WAY) if resume else ("requested",)
        self._newest |= {one.intent: one for one in intents.values() if one.intent in self._running}
        lane = self._lanes.get(key)
        queued = {one.intent for one in lane.jobs.values()} if lane is not None else set()
        jobs = {
            slot: one
            for slot, one in intents.items()
            if one.system is self.system
            and one.intent not in self._running
            and (one.state in states or (one.intent in queued and one.state != "refused"))
        }
        if lane is None:
            if not jobs:
                return
            lane = self._lanes[key] = _Lane()
        lane.jobs = jobs
        if jobs and not lane.busy:
            self._ready.put_nowait(key)

    @property
    def idle(self) -> bool:
        """Nothing to do and nothing under way."""
        return not self._running and not any(lane.jobs or lane.busy for lane in self._lanes.values())

    @property
    def queued(self) -> int:
        """Writes that wait for their turn or are under way."""
        return len(self._running) + sum(len(lane.jobs) for lane in self._lanes.values())

    # -- doing it ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled, or until this practice has another owner (Fenced)."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def close(self) -> None:
        """Begin nothing new; returns when what is under way is settled or recorded as unknown."""
        self._closing = True
        await self._quiet.wait()

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            lane = self._lanes.get(key)
            if lane is None or lane.busy or not lane.jobs or self._closing:
                continue
            lane.busy = True
            try:
                while lane.jobs and not self._closing:
                    slot = next(iter(lane.jobs))
                    await self._carry(key, slot, lane.jobs.pop(slot))
            finally:
                lane.busy = False
                if not lane.jobs:
                    self._lanes.pop(key, None)

    async def _carry(self, key: PatientKey, slot: str, job: OpenIntent) -> None:
        self._running.add(job.intent)
        self._quiet.clear()
        try:
            charts = _charts(key)
            attempt = job.attempt
            unsettled = job.state in UNDER_WAY and not changes_nothing(job.write)
            if unsettled and await self._settle(slot, job, attempt, charts):
                return
            while not self._closing:
                attempt += 1
                if not await self._attempt(slot, job, attempt, charts) or await self._call(slot, job, attempt, charts):
                    return
        finally:
            self._running.discard(job.intent)
            self._newest.pop(job.intent, None)
            if not self._running:
                self._quiet.set()

    async def _attempt(self, slot: str, job: OpenIntent, attempt: int, charts: _Charts) -> bool:
        """Record the attempt; False when the intent is not open any more (superseded, or linked away), or while the practice
        is only observed."""

        def still_open(state: PracticeState, key: PatientKey) -> bool:
            if observed_only(state, self._recorder.policy):
                return False
            intents = state.patients[key].intents if key in state.patients else state.directory.intents if not key else {}
            known = intents.get(slot)
            return known is not None and known.intent == job.intent and known.state != "refused"

        body = IntentAttempted(intent=job.intent, slot=slot, attempt=attempt, epoch=self._recorder.epoch)
        return await self._record(body, job, attempt, charts, only_if=still_open)

    async def _call(self, slot: str, job: OpenIntent, attempt: int, charts: _Charts) -> bool:
        """Make the call; True when the outcome is known. Pauses and goes on while nothing was done, with what is left of the write
        where something was agreed otherwise meanwhile."""
        failures = 0

        def wanted() -> AnyWrite:
            return self._newest.get(job.intent, job).write

        while True:
            job = self._newest.get(job.intent, job)
            try:
                result = await self._writer.write(wanted)
            except Throttled as error:
                if (failures := failures + 1) >= VISIBLE_AFTER:
                    await self._trouble.failed(
                        "throttled", "asks for patience again and again; writes wait until it takes them"
                    )
                await asyncio.sleep(max(error.retry_after, self._pace.pause(failures - 1), LEAST_PAUSE))
            except Unauthorized:
                await self._trouble.failed("credentials", "does not accept the credentials; correct them")
                await asyncio.sleep(self._pace.pause(failures := failures + 1))
            except Unreachable:
                await self._trouble.failed("unreachable", "cannot be reached; writes wait until it can")
                await asyncio.sleep(self._pace.pause(failures := failures + 1))
            except (OutcomeUnknown, Malformed):
                if not changes_nothing(job.write):
                    unknown = IntentOutcomeUnknown(intent=job.intent, slot=slot, attempt=attempt)
                    await self._record(unknown, job, attempt, charts)
                    return await self._settle(slot, job, attempt, charts)
                await self._trouble.failed(
                    "unusable", "gives answers that cannot be used; writes wait until it gives others"
                )
                await asyncio.sleep(self._pace.pause(failures := failures + 1))
            except ChangedMeanwhile as found:
                origin = Origin.EHR if self.system is System.EHR else Origin.BILLING
                await self._record(
                    found.seen, job, attempt, charts, origin=origin, observed=found.read_at, modified=found.modified
                )
                body = IntentSuperseded(intent=job.intent, slot=slot, reason="the record was changed meanwhile")
                await self._record(body, job, attempt, charts)
                await self._trouble.over()
                return True
            except (Refused, NotAsWritten) as error:
                await self._record(_refusal(error, job, slot, attempt), job, attempt, charts)
                await self._trouble.over()
                log.warning("write_refused", system=self.system, operation=type_of(job.write), attempt=attempt)
                return True
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - recorded as an event
                await self._own_fault(error, slot, job, attempt, charts)
                return True
            else:
                await self._succeed(slot, job, attempt, charts, result, "answer")
                return True
            if self._closing:
                return True

    async def _settle(self, slot: str, job: OpenIntent, attempt: int, charts: _Charts) -> bool:
        """Look whether a lost attempt has been done; True when it has, False when it certainly has not."""
        failures = 0
        looks = list(self._pace.looks)
        while looks and not self._closing:
            await asyncio.sleep(looks[0])
            try:
                result = await self._writer.look_up(job.write)
            except Throttled as error:
                await asyncio.sleep(max(error.retry_after, self._pace.pause(failures), LEAST_PAUSE))
                failures += 1
            except (Unreachable, Unauthorized, OutcomeUnknown, Malformed):
                await self._trouble.failed("unreachable", "cannot be reached; writes wait until it can")
                await asyncio.sleep(self._pace.pause(failures := failures + 1))
            except Refused as error:
                await self._record(_refusal(error, job, slot, attempt), job, attempt, charts)
                await self._trouble.over()
                return True
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - recorded as an event
                await self._own_fault(error, slot, job, attempt, charts)
                return True
            else:
                if result is not None:
                    await self._succeed(slot, job, attempt, charts, result, "lookup")
                    return True
                looks.pop(0)
        return self._closing

    async def _succeed(
        self, slot: str, job: OpenIntent, attempt: int, charts: _Charts, result: AnyResult, settled_by: str
    ) -> None:
        body = IntentSucceeded(intent=job.intent, slot=slot, attempt=attempt, result=result, settled_by=settled_by)
        await self._record(body, job, attempt, charts)
        if not changes_nothing(job.write):
            self._meter.count(f"written.{self.system}.{job.resource}.{type_of(job.write)}")
            if job.since is not None:
                self._meter.took(f"change_to_write.{self.system}", (self._now() - job.since).total_seconds())
        await self._trouble.over()

    async def _own_fault(self, error: Exception, slot: str, job: OpenIntent, attempt: int, charts: _Charts) -> None:
        """A defect of ours stops this write and nothing else; a person is told."""
        text = f"chartwire could not carry this out ({type(error).__name__}); report it"
        refused = IntentRefused(intent=job.intent, slot=slot, attempt=attempt, code="defect", text=text)
        await self._record(refused, job, attempt, charts)
        log.error("write_failed_by_defect", system=self.system, operation=type_of(job.write), exc_info=error)

    # -- recording --------------------------------------------------------------------------------------------------------

    async def _record(
        self,
        body: Body,
        job: OpenIntent,
        attempt: int,
        charts: _Charts,
        only_if: Callable[[PracticeState, PatientKey], bool] | None = None,
        origin: Origin = Origin.CHARTWIRE,
        observed: datetime | None = None,
        modified: datetime | None = None,
    ) -> bool:
        """Record until it is recorded: an outcome must not be lost because PostgreSQL is away for a while."""
        failures = 0
        while True:
            try:
                return await self._recorder.record_bodies(
                    [body],
                    ehr=charts[0],
                    billing=charts[1],
                    cause=job.cause,
                    parts=(job.intent, attempt),
                    only_if=only_if,
                    origin=origin,
                    observed=observed,
                    modified=modified,
                )
            except Fenced:
                raise
            except AWAY as error:
                log.error("recording_failed", error_type=type(error).__name__, attempt=failures)
                await asyncio.sleep(self._pace.pause(failures := failures + 1))


_Charts = tuple[EhrChartId | None, BillingPatientId | None]


def _charts(key: PatientKey) -> _Charts:
    return charts_of(key)


def _refusal(error: Refused | NotAsWritten, job: OpenIntent, slot: str, attempt: int) -> IntentRefused:
    """The refusal as an event: words for people, the vendor's own kept beside them (encrypted like every body)."""
    if isinstance(error, NotAsWritten):
        fields = ", ".join(error.fields).replace("_", " ")
        text = f"{job.system.value.capitalize()} took the write but shows another value in: {fields}"
        return IntentRefused(intent=job.intent, slot=slot, attempt=attempt, code="not-kept", text=text)
    said = [" ".join(part for part in (element, value, text) if part) for element, value, text in error.problems]
    text = "; ".join(said) or error.vendor_text[:200] or f"HTTP {error.status or ''}".strip()
    return IntentRefused(
        intent=job.intent, slot=slot, attempt=attempt, code=type(error).__name__.casefold(), text=text, raw=error.vendor_text
    )
