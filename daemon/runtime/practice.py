"""One practice at work on its owner: connectors, recorder and sinks, started together and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import structlog

from daemon.config import PracticeConfig, policy_of
from daemon.runtime.go_live import first_reads, go_live
from daemon.runtime.holds import Holds
from daemon.runtime.memory import RecordedMemory, seen_records
from daemon.runtime.outward import Feed
from daemon.runtime.ownership import Ownership
from daemon.runtime.recorder import PracticeRecorder
from daemon.runtime.recording import Recording
from daemon.runtime.recovery import Caution, record_restart, recover
from daemon.runtime.renewal import renew
from daemon.runtime.reporter import FEED, HEAD, RECORDING
from daemon.runtime.rules_in_force import note_rules
from daemon.runtime.sink import Sink
from daemon.runtime.supervision import STEADY_SECONDS, Standing
from daemon.runtime.surroundings import Surroundings
from daemon.runtime.system_health import SystemHealth
from daemon.runtime.taking import Taken
from daemon.runtime.witnessing import HeadTeller
from daemon.vendors.ports.intake import Intake
from daemon.vendors.ports.vendor import Delivery, Opener, Side
from daemon.vendors.ports.writer import Guard
from events.codes import WaitCode
from events.commands import RedriveRequested, ResyncRequested, RetryRequested
from events.first_day import LiveChosen
from events.holds import HoldEnded
from events.ids import PracticeId
from events.keyed import hashed
from events.maps import MapChange
from events.schema import Body, CommandRefused, WaitingCleared, WaitingDismissed, WaitingRaised
from events.slots import STANDING_SLOT, set_aside_in
from events.store import AWAY, Fenced
from events.stray import endless
from events.topics import Checkpoint, Message, Nudge
from events.writes import Resource, System
from projections.rules.holds import FirstDay, first_day_of
from projections.rules.wants import Moment
from projections.state.quarantine import holds_outcome
from projections.terms.policy import allows

log = structlog.get_logger()

REVISIT_SECONDS = 3600.0
AWAY_SECONDS = 5.0
DOUBT_SECONDS = 1.0


class PracticeRuntime:
    """Create with `start`; `record` takes its messages from Kafka; `stop` drains."""

    first_day = FirstDay.OVER

    def __init__(self, config: PracticeConfig, around: Surroundings, openers: Mapping[System, Opener], taken: Taken) -> None:
        self.practice = PracticeId(config.id)
        self.config = config
        self.epoch = epoch = taken.epoch
        self._restarted = taken.restarted
        self.failure: Exception | None = None
        """What ended the practice's tasks, if a fault did."""
        self.steady = False
        """Whether it has been at work for a while."""
        self.recording = ""
        """Why messages cannot be recorded now, "" while they can."""
        self._standing_shown, self._everybody = False, asyncio.Event()
        self._around = around
        self._task: asyncio.Task[None] | None = None
        self.recorder = PracticeRecorder(
            around.store,
            around.keyring,
            policy_of(config),
            epoch,
            now=around.now,
            meter=around.meter,
            on_recorded=self._recorded,
        )
        self.teller = HeadTeller(around.bus, self.practice, lambda: self.recorder.head, around.now)
        self.caution = Caution(self.teller.tell_in_time)
        self.holds = Holds(self.recorder, around.now)
        self.feed = Feed(around.store, self.practice, around.bus.publish_recorded)
        owned = Ownership(around.store, self.practice, epoch)
        self.sides = {system: side(config, around, system, owned) for system in System}
        self.opened = {system: openers[system](self.sides[system]) for system in System}
        self.connectors = {system: one.connector for system, one in self.opened.items()}
        health = {system: SystemHealth(system, self.recorder, around.now) for system in System}
        for system, one in self.opened.items():
            one.connector.passes.heard = health[system].heard
        self.sinks = {
            system: Sink(
                system,
                one.writer,
                self.recorder,
                workers=one.concurrency,
                pace=around.pace,
                now=around.now,
                meter=around.meter,
                health=health[system],
                caution=self.caution,
            )
            for system, one in self.opened.items()
        }

    # -- life -------------------------------------------------------------------------------------------------------------

    async def start(self, group: asyncio.TaskGroup, standing: Standing | None = None) -> None:
        """Take up what was left open, then observe and write, as a child of `group`, until stopped.

        `standing` is what kept it from that before: people are told once it has failed a few times in a row.
        """
        for one in self.opened.values():
            if one.limits is not None:
                one.limits.taken_over()
        if self._restarted is not None:
            await record_restart(self.recorder, self._restarted, self.config.time_zone)
        self.first_day = await self.recorder.first_day()
        await self.teller.tell()
        policy = self.recorder.policy
        await note_rules(self._around.store, policy, self.epoch, Moment.at(self._around.now(), policy.time_zone))
        outcome = await self.recorder.load_open()
        self.caution.recall(None if outcome.directory is None else outcome.directory.restarted)
        self.holds.note(outcome.directory)
        for sink in self.sinks.values():
            sink.offer(outcome, resume=True)
        await self._show(standing, shown=outcome.directory is not None and STANDING_SLOT in outcome.directory.waiting)
        self._task = group.create_task(self._supervised(), name=f"practice {self.practice}")

    async def _show(self, standing: Standing | None, *, shown: bool) -> None:
        self._standing_shown = shown
        if standing is not None and standing.shown and not shown:
            code = WaitCode.STANDS_STILL.value
            await self.recorder.record_practice(
                [WaitingRaised(slot=STANDING_SLOT, code=code, text=standing.said(self.config.time_zone))]
            )
            self._standing_shown = True

    async def _steady(self) -> None:
        """After a while at work: it works again."""
        await asyncio.sleep(STEADY_SECONDS)
        self.steady = True
        while self._standing_shown:
            try:
                await self.recorder.record_practice([WaitingCleared(slot=STANDING_SLOT, how="works again")])
                self._standing_shown = False
            except AWAY:
                await asyncio.sleep(AWAY_SECONDS)

    async def _supervised(self) -> None:
        """A fault ends this practice alone: it is kept in `failure`, and the worker says it and starts the practice anew."""
        try:
            await self._run()
        except Exception as error:  # noqa: BLE001 - the worker says it
            self.failure = error

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for name, work in self._works():
                    group.create_task(endless(name, work))
                group.create_task(self._steady())
        except* Fenced:
            log.warning("practice_taken_over", practice=self.practice, epoch=self.epoch)

    def _works(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What a practice at work consists of; none of it ends by itself."""
        works = [(f"connector of {system}", connector.run()) for system, connector in self.connectors.items()]
        works += [(f"sink of {system}", sink.run()) for system, sink in self.sinks.items()]
        works += [("head", self.teller.run()), ("recovery", self._recover())]
        around = self._around
        works.append(("renewal", renew(around.store, self.recorder.policy, around.now, around.renewing)))
        works += [("revisits", self._look_again()), ("resuming", self._resume()), ("holds", self.holds.run())]
        if self._around.config.kafka.feed:
            works.append(("feed", self.feed.run()))
        return works

    async def stop(self) -> None:
        """Begin nothing new, settle what is under way, then stop."""
        try:
            for sink in self.sinks.values():
                try:
                    async with asyncio.timeout(20):
                        await sink.close()
                except TimeoutError:
                    log.warning("drain_cut_short", practice=self.practice, system=sink.system)
            if self.running:
                await self.teller.tell_in_time()
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])

    @property
    def failing(self) -> dict[str, str]:
        """What of its own work fails now, beside the passes of connectors, each with its error."""
        found = {RECORDING: self.recording, FEED: self.feed.failing, HEAD: self.teller.failing}
        return {name: why for name, why in found.items() if why}

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _look_again(self) -> None:
        """Now and then: patients whose policy ended, or whose dependency came while nobody was there to see.

        After an observed practice went live, or a map led elsewhere, that is everybody, once.
        """
        while True:
            self._everybody.clear()
            try:
                await self._catch_up()
            except AWAY as error:
                log.warning("revisit_delayed", practice=self.practice, error_type=type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(REVISIT_SECONDS):
                    await self._everybody.wait()

    async def _catch_up(self) -> None:
        async with self.recorder.catching_up():
            if self.first_day is FirstDay.GOING_LIVE:
                await go_live(self.recorder, self._around.store, self._around.keyring, first_reads(self.config))
                self.first_day = FirstDay.OVER
            while await self.recorder.revisit("a policy ended, or what it waited for has come"):
                pass

    async def _recover(self) -> None:
        """After a restore: see to it that the lost time is read, and say when it is settled."""
        await recover(
            self.recorder,
            self.caution,
            self._around.store.pool,
            first_reads(self.config),
            idle=lambda: all(sink.idle for sink in self.sinks.values()),
            read_again=self._read_again,
        )

    def _read_again(self, source: str) -> None:
        """Make a pass due, by its name as a source."""
        prefix, _, name = source.partition(".")
        for system, connector in self.connectors.items():
            if self.config.section(system).system.prefix == prefix:
                connector.nudge(name)

    async def _resume(self) -> None:
        """After a recording of which nobody knows whether it was made, and where `_takes_up` says so: take up what is open, as after a take-over."""
        while True:
            await self.recorder.doubted()
            await asyncio.sleep(DOUBT_SECONDS)
            try:
                opened = await self.recorder.load_open()
            except AWAY:
                continue  # the recorder doubts again
            self.holds.note(opened.directory)
            for sink in self.sinks.values():
                sink.offer(opened, resume=True)
            self.feed.nudge()

    def hurry(self) -> None:
        """A person says that what failed may work now: refused credentials are tried, and no pause is waited for."""
        for one in self.opened.values():
            if one.gate is not None:
                one.gate.reopen()
            one.connector.passes.hurry()
        for sink in self.sinks.values():
            sink.hurry()

    # -- recording --------------------------------------------------------------------------------------------------------

    async def record(self, messages: Sequence[Message]) -> None:
        """Record what came through Kafka, then tell the connectors how far it has come and what is to be read now."""
        kept = [message for message in messages if not isinstance(message, Nudge)]
        if kept:
            try:
                await self.recorder.record_messages(kept)
            except Exception as error:
                self.recording = type(error).__name__
                raise
            self.recording = ""
        for message in messages:
            match message:
                case Nudge():
                    self.connectors[message.system].nudge(message.what)
                case Checkpoint():
                    for one in self.sides.values():
                        one.intake.recorded(message.source)

    def _recorded(self, recording: Recording) -> None:
        self._around.bus.traces.recorded(recording.recorded)
        if recording.directory is not None:
            self.caution.recall(recording.directory.restarted)
        for sink in self.sinks.values():
            sink.offer(recording)
        self.holds.note(recording.directory)
        self._note_live(recording)
        if any(_takes_up(one.event.body) for one in recording.recorded):
            self.recorder.open_again()
        if any(isinstance(one.event.body, MapChange) for one in recording.recorded):
            self._everybody.set()
        for resource, record in recording.reread:
            self.connectors[System.EHR].reread(resource, record)
        for one in recording.let_in:
            self.connectors[one.system].reread(one.resource, one.record)
        if recording.recorded:
            self.feed.nudge()
            self.teller.nudge()
        self._look_again_for(recording)

    def _note_live(self, recording: Recording) -> None:
        """A person has said that the practice goes live, or that its configuration counts again: it need not be started anew."""
        if recording.directory is not None and any(isinstance(one.event.body, LiveChosen) for one in recording.recorded):
            self.first_day = first_day_of(recording.directory, self.recorder.policy)
            self._everybody.set()

    def _look_again_for(self, recording: Recording) -> None:
        """What people asked to be read again: a patient's charts, or what could not be read before (projections/deciding/repair.py)."""
        refused = {one.event.cause for one in recording.recorded if isinstance(one.event.body, CommandRefused)}
        for event in [one.event for one in recording.recorded if one.event.id not in refused]:
            patient = recording.patients.get(event.patient)
            if isinstance(event.body, RedriveRequested):
                aside = set_aside_in(event.body.slot)
                if aside is not None and aside.system in set(System):
                    self.connectors[System(aside.system)].look(aside.resource, aside.record, event.id)
            elif isinstance(event.body, RetryRequested):
                self.hurry()
            elif isinstance(event.body, ResyncRequested) and patient is not None:
                chart = patient.link.ehr if patient.link else patient.ehr.chart.id if patient.ehr else None
                if chart is not None:
                    self.connectors[System.EHR].look("patients", str(chart), event.id)
                if patient.billing is not None:
                    self.connectors[System.BILLING].look("patients", str(patient.billing.chart.id), event.id)


def _takes_up(body: Body) -> bool:
    """Whether what is open is to be taken up as after a take-over, with what is under way: nobody works on it any more.

    A hold has ended; or what became of a write could not be recorded, and is tried again or accepted.
    """
    match body:
        case HoldEnded():
            return True
        case RedriveRequested(slot=slot) | WaitingDismissed(slot=slot):
            return holds_outcome(slot)
    return False


def side(config: PracticeConfig, around: Surroundings, system: System, guard: Guard | None = None) -> Side:
    """The practice's side of the system that plays a role for it."""
    practice, pool = PracticeId(config.id), around.store.pool
    known, policy = seen_records(pool, practice, system, around.keyring), policy_of(config)
    return Side(
        time_zone=config.time_zone,
        intake=Intake(practice, system, around.bus.publish, known, partial(hashed, around.keyring, practice)),
        memory=RecordedMemory(pool, practice, system, around.keyring, linked=True),
        guard=guard,
        policies_leave=allows(policy, Resource.INSURANCE, System.BILLING),
        calendar_leaves=allows(policy, Resource.APPOINTMENT, System.BILLING),
    )


async def prepare(config: PracticeConfig, around: Surroundings) -> dict[System, Opener]:
    """What opens each system for the practice's owner. Raises VendorError, OSError or ValueError."""
    sections = {system: config.section(system) for system in System}
    return {system: await around.vendors.of(one).prepare(one, around.means) for system, one in sections.items()}


def deliveries(config: PracticeConfig, around: Surroundings) -> dict[tuple[str, str], Delivery]:
    """What reads the practice's webhooks, by vendor and practice; every worker has them, owner or not."""
    sections = {system: config.section(system) for system in System}
    found = {
        (one.system.prefix, config.id): around.vendors.of(one).delivery(one, around.means, side(config, around, system))
        for system, one in sections.items()
    }
    return {key: one for key, one in found.items() if one is not None}
