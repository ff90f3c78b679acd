"""Carrying out intents against one system: in order per patient, effectively once, every step an event (deploy/DESIGN.md, The flow).

requested -> attempted (recorded BEFORE the call, with the epoch) -> succeeded | refused | unknown. An unknown outcome is
resolved by looking, never by repeating blindly. What an error leads to is said in `attempt.py`. Whatever keeps failing becomes a
waiting item of the practice, and stays one until it works again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count

import structlog

from daemon.runtime.attempt import TROUBLED, UNUSABLE, Attempt, Look, Pause, Refuse, Stopped, Superseded, after, after_lookup
from daemon.runtime.circuit import creations_held, looks_for
from daemon.runtime.lanes import Lane, Turns
from daemon.runtime.outcomes import Outcomes
from daemon.runtime.pace import Pace
from daemon.runtime.recorder import PracticeRecorder
from daemon.runtime.recording import Recording
from daemon.runtime.recovery import Caution
from daemon.runtime.rules_in_force import against_the_table, may
from daemon.runtime.system_health import SystemHealth
from daemon.telemetry import Meter
from daemon.vendors.ports.writer import Writer
from events.backoff import Hurried
from events.ids import PRACTICE, PatientKey
from events.records import type_of
from events.schema import (
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentSucceeded,
    IntentSuperseded,
    Origin,
)
from events.store import Fenced
from events.stray import endless, settled
from events.writes import AnyResult, AnyWrite, System, changes_nothing
from projections.deciding.settle import may_be_written
from projections.rules.holds import is_stopped, is_stopped_under_way
from projections.state.directory import Directory
from projections.state.open_intents import UNDER_WAY, OpenIntent
from projections.state.patient import Patient

log = structlog.get_logger()

LEAST_PAUSE = 0.05


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
        health: SystemHealth | None = None,
        caution: Caution | None = None,
    ) -> None:
        self.system = system
        self._writer = writer
        self._recorder = recorder
        self._workers = workers
        self._pace = pace
        self._now = now
        self._meter = meter
        self._lanes: dict[PatientKey, Lane] = {}
        self._turns = Turns()
        self._outcomes = Outcomes(system, recorder, pace)
        self._running: dict[str, datetime | None] = {}
        self._newest: dict[str, OpenIntent] = {}
        self._label = recorder.policy.names.label(system)
        self._caution = caution or Caution()
        self._health = health or SystemHealth(system, recorder, now)
        self._hurried = Hurried()
        self._closing = False
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._directory = Directory()

    # -- what is to do ----------------------------------------------------------------------------------------------------

    def offer(self, recording: Recording, *, resume: bool = False) -> None:
        """Take note of the open intents after a recording; with `resume` (after a take-over) also of those under way."""
        for key in recording.gone:
            if (lane := self._lanes.get(key)) is not None:
                lane.jobs = {}  # they go on under the key of the patient that absorbed this one
                if not lane.busy:
                    del self._lanes[key]
        self._directory = recording.directory or self._directory
        for key, patient in recording.patients.items():
            self._queue(key, patient, patient.intents, resume)
        if recording.directory is not None:
            self._health.recall(recording.directory)
            self._queue(PRACTICE, None, recording.directory.intents, resume)

    def _queue(self, key: PatientKey, patient: Patient | None, intents: dict[str, OpenIntent], resume: bool) -> None:
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
            and (one.state in UNDER_WAY or not is_stopped(self._directory, patient, one))
        }
        if lane is None:
            if not jobs:
                return
            lane = self._lanes[key] = Lane()
        lane.jobs, lane.patient = jobs, patient
        if jobs and not lane.busy:
            self._turns.put(key, lane)

    @property
    def idle(self) -> bool:
        """Nothing to do and nothing under way."""
        return not self._running and not any(lane.jobs or lane.busy for lane in self._lanes.values())

    @property
    def queued(self) -> int:
        """Writes that wait for their turn or are under way."""
        return len(self._running) + sum(len(lane.jobs) for lane in self._lanes.values())

    @property
    def oldest(self) -> datetime | None:
        """When the oldest change was made that is not written yet, of those that no person has to decide about."""
        queued = [job.since for lane in self._lanes.values() for job in lane.jobs.values()]
        return min([since for since in (*queued, *self._running.values()) if since is not None], default=None)

    # -- doing it ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled, or until this practice has another owner (Fenced)."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(endless("writes", self._work()))
                group.create_task(endless("writes that can wait", self._work_waiting()))

    async def close(self) -> None:
        """Begin nothing new, end all pauses; returns when what is under way is settled or recorded as unknown."""
        self._closing = True
        self.hurry()
        await self._quiet.wait()

    async def _work(self) -> None:
        while True:
            key = await self._turns.next()
            await self._caution.until_free()
            await self._serve(key)

    async def _work_waiting(self) -> None:
        """One call at a time, and a turn for each: whoever has the least to do is next."""
        while True:
            await self._turns.some_waiting()
            await self._caution.until_free()
            async with self._turns.one_call:
                if (key := self._turns.take_waiting()) is not None:
                    await self._serve(key, once=True)

    async def _serve(self, key: PatientKey, *, once: bool = False) -> None:
        """Carry out what a lane has, but for what can wait; of that (`once`) the next one only."""
        lane = self._lanes.get(key)
        if lane is None or lane.busy or not lane.jobs or self._closing:
            return
        lane.busy = True
        try:
            while lane.jobs and lane.waits is once and not self._closing:
                await self._carry(key, *lane.take())
                if once:
                    break
        finally:
            lane.busy = False
            if lane.jobs:
                self._turns.put(key, lane)
            else:
                self._lanes.pop(key, None)

    async def _carry(self, key: PatientKey, slot: str, job: OpenIntent) -> None:
        self._running[job.intent] = job.since
        self._quiet.clear()
        try:
            attempt = Attempt(slot, job, job.attempt, key)
            if job.state not in UNDER_WAY and self._stopped(attempt):
                return
            looks = self._caution.looks(job, looks_for(job.write, self._pace))
            if looks and await self._resolve_unknown(attempt, looks):
                return
            if not may_be_written(job.write, job.resource, self._recorder.policy):
                await self._outcomes.record(against_the_table(attempt), attempt, only_if=may(attempt, self._recorder.policy))
                return
            while not self._closing:
                attempt = replace(attempt, number=attempt.number + 1)
                if not await self._begin(attempt) or await self._call(attempt):
                    return
        finally:
            self._running.pop(job.intent, None)
            self._newest.pop(job.intent, None)
            if not self._running:
                self._quiet.set()

    async def _begin(self, attempt: Attempt) -> bool:
        """Record the attempt, unless it may not begin. One that was attempted, and of which nothing was done, is then decided again."""
        slot, intent = attempt.slot, attempt.job.intent
        body = IntentAttempted(intent=intent, slot=slot, attempt=attempt.number, epoch=self._recorder.epoch)
        if await self._outcomes.record(body, attempt, only_if=may(attempt, self._recorder.policy)):
            await self._caution.attempted(attempt.job)
            return True
        given_up = IntentSuperseded(intent=intent, slot=slot, reason="not to be made for now, and nothing of it was done")
        if await self._outcomes.record(given_up, attempt, only_if=partial(is_stopped_under_way, slot=slot, intent=intent)):
            await self._health.ended(intent)
        return False

    async def _call(self, attempt: Attempt) -> bool:
        """Make the call; True when the outcome is known.

        Pauses and goes on while nothing was done. What was agreed otherwise meanwhile is left out of the write.
        """
        intent = attempt.job.intent

        def wanted() -> AnyWrite:
            return self._newest.get(intent, attempt.job).write

        alike, last = 0, Exception
        for failures in count(1):
            attempt = replace(attempt, job=self._newest.get(intent, attempt.job))
            try:
                result = await settled(self._writer.write(wanted))
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - what follows is recorded
                alike, last = alike + 1 if type(error) is last else 1, type(error)
                match after(error, attempt, alike, self._label):
                    case Pause() as pause:
                        await self._wait(pause, failures, attempt)
                        if pause.look and await self._resolve_unknown(attempt):
                            return True
                        if self._stopped(attempt):
                            return False
                    case Look():
                        unknown = IntentOutcomeUnknown(intent=intent, slot=attempt.slot, attempt=attempt.number)
                        await self._outcomes.record(unknown, attempt)
                        return await self._resolve_unknown(attempt)
                    case end:
                        await self._end(attempt, end, error)
                        return True
            else:
                await self._succeed(attempt, result, "answer")
                return True
            if self._closing:
                break
        return True

    def _stopped(self, attempt: Attempt) -> bool:
        """Whether a write that pauses is to be left alone by now."""
        lane = self._lanes.get(attempt.key)
        return is_stopped(self._directory, None if lane is None else lane.patient, attempt.job)

    async def _resolve_unknown(self, attempt: Attempt, looks: Sequence[float] | None = None) -> bool:
        """Look, after each pause of `looks`, whether a lost attempt has been done; True when it has, False when it certainly has not."""
        failures, lookups = 0, list(looks_for(attempt.job.write, self._pace) if looks is None else looks)
        while lookups and not self._closing:
            async with self._turns.aside(attempt.job):
                await asyncio.sleep(lookups[0])
            try:
                result = await settled(self._writer.look_up(attempt.job.write))
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - what follows is recorded
                match after_lookup(error, attempt, failures := failures + 1):
                    case Pause() as pause:
                        await self._wait(pause, failures, attempt)
                    case end:
                        await self._end(attempt, end, error)
                        return True
            else:
                if result is not None:
                    await self._succeed(attempt, result, "lookup")
                    return True
                lookups.pop(0)
        return self._closing

    async def _wait(self, pause: Pause, failures: int, attempt: Attempt) -> None:
        """Pause before the next try, not beyond `hurry`; what keeps failing is shown."""
        if pause.trouble is TROUBLED:
            await self._health.troubled(attempt.job.intent)
        elif pause.trouble is UNUSABLE:
            await self._health.unusable(attempt.job.intent, self._recorder.policy.names.one_of(attempt.charts))
        elif pause.trouble is not None:
            await self._health.failed(pause.trouble)
        least = 0.0 if pause.seconds is None else max(pause.seconds, LEAST_PAUSE)
        if not self._closing:
            async with self._turns.aside(attempt.job):
                await self._hurried.sleep(max(least, self._pace.pause(failures)))

    def hurry(self) -> None:
        """Somebody says that it may work now: what pauses is tried."""
        self._hurried.now()

    # -- outcomes ---------------------------------------------------------------------------------------------------------

    async def _succeed(self, attempt: Attempt, result: AnyResult, settled_by: str) -> None:
        job = attempt.job
        body = IntentSucceeded(
            intent=job.intent, slot=attempt.slot, attempt=attempt.number, result=result, settled_by=settled_by
        )
        await self._outcomes.record(body, attempt)
        if not changes_nothing(job.write):
            self._meter.count(f"written.{self.system}.{job.resource}.{type_of(job.write)}")
            if job.since is not None:
                self._meter.took(f"change_to_write.{self.system}", (self._now() - job.since).total_seconds())
        await self._health.ended(job.intent)
        await self._health.works()

    async def _end(self, attempt: Attempt, end: Refuse | Superseded | Stopped, error: Exception) -> None:
        """The attempt has ended without success. A defect of ours stops this write and nothing else."""
        operation = type_of(attempt.job.write)
        if isinstance(end, Superseded):
            origin = Origin.EHR if self.system is System.EHR else Origin.BILLING
            await self._outcomes.record(end.seen, attempt, origin=origin, observed=end.read_at, modified=end.modified)
        if isinstance(end, Stopped):
            await self._outcomes.hold(creations_held(attempt, error, self._recorder.policy), attempt)
        await self._outcomes.record(end.body, attempt)
        await self._health.ended(attempt.job.intent)
        if isinstance(end, Refuse) and not end.answered:
            log.error(
                "write_failed_by_defect",
                practice=self._recorder.practice,
                system=self.system,
                operation=operation,
                exc_info=error,
            )
            return
        await self._health.works()
        if not isinstance(end, Superseded):
            log.warning(
                "write_refused",
                practice=self._recorder.practice,
                system=self.system,
                operation=operation,
                attempt=attempt.number,
            )
