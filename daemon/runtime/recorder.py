"""The recorder: the single writer of one practice.

Everything that happens to a practice goes through `PracticeRecorder`: it appends events idempotently, folds the projections
they touch, decides, and stores all of it in ONE PostgreSQL transaction (DESIGN 1.3). If the transaction fails nothing has
happened, and the same batch can be recorded again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import structlog

from daemon.runtime.redrive import redriven
from daemon.tables import documents as tables
from daemon.tables.unit_of_work import StoredProjections
from daemon.telemetry import Meter
from events.codec import Keyring, encode_body
from events.codes import CommandCode
from events.commands import RedriveRequested
from events.ids import (
    BillingPatientId,
    EhrChartId,
    EventId,
    PatientKey,
    PracticeId,
    charts_of,
    content_hash,
    event_id,
)
from events.records import type_of
from events.schema import (
    Body,
    ChangeQuarantined,
    CommandRefused,
    ConflictRecorded,
    Event,
    IntentRefused,
    ObservingBegan,
    Origin,
    Recorded,
    WaitingCleared,
)
from events.store import AWAY, Fenced, Store, Transaction
from events.topics import Change, Checkpoint
from events.writes import System
from projections.deciding.settle import Moment
from projections.deciding.work import Work
from projections.state.directory import Directory
from projections.state.patient import Patient
from projections.state.quarantine import record_of
from projections.state.state import PracticeState
from projections.terms.policy import Policy

log = structlog.get_logger()

ROUNDS = 40
REVISIT_CHUNK = 50


class Undecided(Exception):
    """Deciding does not come to an end: a defect of ours, named by the kinds of events it goes in circles with."""


@dataclass
class Outcome:
    """What one recording did: events by sequence, intents newly requested, and the open intents to (re)consider.

    `reread` are Elation's records, as (resource, id), that are in doubt and have to be read.
    """

    recorded: list[Recorded] = field(default_factory=list)
    patients: dict[PatientKey, Patient] = field(default_factory=dict)
    gone: set[PatientKey] = field(default_factory=set)
    directory: Directory | None = None
    reread: set[tuple[str, str]] = field(default_factory=set)


class PracticeRecorder:
    """See the module's docstring. `epoch` fences: a recorder that was overtaken raises Fenced and never writes again.

    `catching_up` is set by whoever calls `revisit` until nothing is due: then no recording has to wait for all of it.
    `doubt` is set when a recording failed and may have been made all the same (the answer to its COMMIT was lost): recorded
    again it changes nothing, so what followed from it has to be looked for with `load_open`.
    """

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        policy: Policy,
        epoch: int,
        *,
        now: Callable[[], datetime],
        meter: Meter,
        on_recorded: Callable[[Outcome], None],
    ) -> None:
        self.practice: PracticeId = policy.practice
        self.policy = policy
        self.epoch = epoch
        self._store = store
        self._keyring = keyring
        self._now = now
        self._meter = meter
        self._on_recorded = on_recorded
        self._lock = asyncio.Lock()
        self._stored = StoredProjections(policy.practice, keyring)
        self._zone = ZoneInfo(policy.time_zone)
        self._pending_revisits = False
        self.catching_up = False
        self.doubt = asyncio.Event()

    # -- what others call -----------------------------------------------------------------------------------------------

    async def record_messages(self, messages: Sequence[Change | Checkpoint]) -> None:
        """Record what connectors published, in order. Recording the same again changes nothing."""
        changes = [message for message in messages if isinstance(message, Change)]
        checkpoints = [message for message in messages if isinstance(message, Checkpoint)]
        async with self._lock:
            events = [change.event for change in changes if change.event is not None]
            try:
                await self._record(events, changes=changes, checkpoints=checkpoints)
            except (Fenced, *AWAY):
                raise
            except Exception as error:
                log.error("batch_not_folded", practice=self.practice, count=len(messages), exc_info=error)
                await self._record_singly(messages)
            await self._revisit_dependents()

    async def _record_singly(self, messages: Sequence[Change | Checkpoint]) -> None:
        """One at a time; what cannot be folded or decided about goes to quarantine, whole."""
        for message in messages:
            if isinstance(message, Checkpoint):
                await self._record([], checkpoints=[message])
                continue
            events = [message.event] if message.event is not None else []
            try:
                await self._record(events, changes=[message])
            except (Fenced, *AWAY):
                raise
            except Exception as error:  # noqa: BLE001 - recorded as an event
                await self._record([_set_aside(self.practice, one, error) for one in events], changes=[message])

    async def record_bodies(
        self,
        bodies: Sequence[Body],
        *,
        ehr: EhrChartId | None,
        billing: BillingPatientId | None,
        cause: EventId | None,
        origin: Origin = Origin.CHARTWIRE,
        parts: Sequence[object] = (),
        only_if: Callable[[PracticeState, PatientKey], bool] | None = None,
        observed: datetime | None = None,
        modified: datetime | None = None,
    ) -> bool:
        """Record outcomes or a person's decisions about one patient (or, with neither chart, the practice).

        `parts` make the event ids unique. With `only_if` the projections are asked first, in the same transaction; False
        means nothing was recorded. True also when it had been recorded before.
        """
        events = [
            Event(
                id=event_id(self.practice, type_of(body), *parts, index),
                practice=self.practice,
                origin=origin,
                observed=observed or self._now(),
                modified=modified,
                body=body,
                ehr=ehr,
                billing=billing,
                cause=cause,
                correlation=cause,
            )
            for index, body in enumerate(bodies)
        ]
        async with self._lock:
            done = await self._record(events, only_if=only_if)
            await self._revisit_dependents()
        return done

    async def revisit(self, reason: str) -> int:
        """Decide again about patients that are due: a policy ended, or what they waited for has come. Returns how many."""
        async with self._lock:
            return await self._revisit_due(reason)

    async def observing(self) -> bool:
        """Whether the practice is only observed by what is recorded; begins it where the configuration says so."""
        async with self._lock, self._store.writing(self.practice, self.epoch) as tx:
            observing = (await self._stored.state(tx)).directory.observing
        if self.policy.observes and not observing:
            await self.record_practice([ObservingBegan()])
        return observing or self.policy.observes

    async def record_practice(self, bodies: Sequence[Body]) -> None:
        """Record a decision about the practice at large; each counts anew."""
        await self.record_bodies(bodies, ehr=None, billing=None, cause=None, parts=(self._now().isoformat(),))

    async def record_about(self, found: Mapping[PatientKey, Body]) -> None:
        """Record something about each of several patients, in one transaction; the same again changes nothing."""
        events = [
            Event(
                id=event_id(self.practice, type_of(body), key, content_hash(encode_body(body))),
                practice=self.practice,
                origin=Origin.CHARTWIRE,
                observed=self._now(),
                body=body,
                ehr=charts_of(key).ehr,
                billing=charts_of(key).billing,
            )
            for key, body in found.items()
        ]
        async with self._lock:
            await self._record(events)

    async def load_open(self) -> Outcome:
        """All patients with open intents, and the directory: what the sinks start from after a take-over."""
        async with self._lock:
            return await self._load_open()

    async def _load_open(self) -> Outcome:
        async with self._store.writing(self.practice, self.epoch) as tx:
            open_ = await tables.list_open_intents(tx.connection, self.practice)
            state = await self._stored.state(tx, {PatientKey(row.patient_key) for row in open_ if row.patient_key})
            return Outcome(patients=dict(state.patients), directory=state.directory)

    # -- one transaction --------------------------------------------------------------------------------------------------

    async def _record(
        self,
        events: Sequence[Event],
        *,
        changes: Sequence[Change] = (),
        checkpoints: Sequence[Checkpoint] = (),
        only_if: Callable[[PracticeState, PatientKey], bool] | None = None,
    ) -> bool:
        outcome = Outcome()
        try:
            async with self._store.writing(self.practice, self.epoch) as tx:
                known = await tx.known([event.id for event in events])
                fresh: dict[EventId, Event] = {event.id: event for event in events if event.id not in known}
                state = await self._stored.state(tx)
                await self._stored.load_for(tx, state, fresh.values() if only_if is None else events)
                if only_if is not None and not only_if(state, state.key_of(events[0].ehr, events[0].billing)):
                    return False
                work = Work(self.practice, state, self.policy, self._moment())
                for event in fresh.values():
                    if isinstance(event.body, RedriveRequested):
                        await self._redrive(tx, work, event, event.body)
                    else:
                        work.take(event)
                await self._decide(tx, work)
                outcome.recorded = await tx.append(work.events)
                await self._stored.save(tx, work)
                told = [one for one in changes if one.event is None or one.event.id not in known]
                ours = () if changes else fresh.values()
                await self._stored.note(tx, told, checkpoints, work.in_doubt, ours)
                outcome.patients = {key: state.patients[key] for key in state.changed}
                outcome.gone = set(state.gone)
                outcome.directory = state.directory if state.directory_changed else None
                outcome.reread = work.in_doubt
        except BaseException as error:
            self._failed(error)
            raise
        self._stored.keep(state.directory)
        self._count(work, len(events) - len(fresh))
        self._on_recorded(outcome)
        return True

    async def _redrive(self, tx: Transaction, work: Work, event: Event, body: RedriveRequested) -> None:
        """What was set aside is recorded as if it came now; what a connector could not read is read again by its connector."""
        found = await redriven(tx, work.state.directory, body, event, self._keyring)
        if not isinstance(found, Event):
            work.take(event, refused=found)
            return
        work.take(event)
        work.take(work.following(WaitingCleared(slot=body.slot, how="tried again"), event))
        if not await tx.known([found.id]):
            await self._stored.load_for(tx, work.state, [found])
            work.take(found)

    async def _decide(self, tx: Transaction, work: Work) -> None:
        """Decide about every patient touched until nothing more follows."""
        rounds = 0
        while work.touched:
            key, cause = work.touched.popitem()
            rounds += 1
            if rounds > ROUNDS * (1 + len(work.events)):
                raise Undecided(", ".join(sorted({event.type for event in work.events[-6:]})))
            if key in work.state.patients:
                await self._stored.load_references(tx, work.state, work.state.patients[key])
                work.decide(key, cause)

    # -- looking again ----------------------------------------------------------------------------------------------------

    async def _revisit_dependents(self) -> None:
        """What PostgreSQL fails here is left for the next recording."""
        if self._stored.rebuilt_beside:
            self._on_recorded(await self._load_open())
            self._stored.rebuilt_beside = False
        if self._pending_revisits and not self.catching_up:
            self._pending_revisits = False
            try:
                while await self._revisit_due("what it waited for has come"):
                    pass
            except AWAY:
                self._pending_revisits = True
                raise

    async def _revisit_due(self, reason: str) -> int:
        try:
            return await self._revisit_some(reason)
        except BaseException as error:
            self._failed(error)
            raise

    async def _revisit_some(self, reason: str) -> int:
        moment = self._moment()
        outcome = Outcome()
        async with self._store.writing(self.practice, self.epoch) as tx:
            keys = await tables.patients_to_revisit(tx.connection, self.practice, moment.today, REVISIT_CHUNK)
            if not keys:
                return 0
            state = await self._stored.state(tx, keys)
            work = Work(self.practice, state, self.policy, moment)
            for key in keys:
                patient = state.patients.get(key)
                if patient is None:
                    continue
                await self._stored.load_references(tx, state, patient)
                work.revisit(patient, reason, tx.sequence)
            await self._decide(tx, work)
            state.changed |= {key for key in keys if key in state.patients}
            outcome.recorded = await tx.append(work.events)
            await self._stored.save(tx, work)
            outcome.patients = {key: state.patients[key] for key in state.changed}
            outcome.gone = set(state.gone)
            outcome.directory = state.directory if state.directory_changed else None
        self._stored.keep(state.directory)
        self._count(work, 0)
        self._on_recorded(outcome)
        return len(keys)

    # -- small things -----------------------------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        """A transaction failed, or only its answer was lost."""
        self._stored.forget()
        if isinstance(error, AWAY):
            self.doubt.set()

    def _moment(self) -> Moment:
        now = self._now()
        return Moment(now=now, today=now.astimezone(self._zone).date())

    def _count(self, work: Work, repeated: int) -> None:
        self._pending_revisits = self._pending_revisits or bool(work.dependencies)
        self._meter.count("changes_repeated", repeated)
        self._meter.count("echoes_suppressed", work.echoes)
        for event in work.events:
            if event.origin in (Origin.EHR, Origin.BILLING):
                self._meter.count("changes_seen")
            elif isinstance(event.body, ConflictRecorded):
                self._meter.count("conflicts", len(event.body.conflicts))
            elif isinstance(event.body, IntentRefused):
                self._meter.count("refusals")
        self._meter.count("events_recorded", len(work.events))


def _set_aside(practice: PracticeId, event: Event, error: Exception) -> Event:
    """The quarantine of an event that defeats us: kept whole, about the practice, waiting for a fix; a command is refused."""
    reason = f"cannot be folded ({type(error).__name__}); report it"
    body: Body = CommandRefused(command=event.type, code=CommandCode.DEFECT.value, text=reason)
    if event.origin in (Origin.EHR, Origin.BILLING):
        system, record = System(event.origin.value), record_of(event)
        body = ChangeQuarantined(
            system=system, resource=event.type, record=record, reason=reason, raw=encode_body(event.body)
        )
    id_ = event_id(practice, "set aside", event.id)
    return msgspec.structs.replace(
        event, id=id_, practice=practice, body=body, ehr=None, billing=None, cause=event.cause or event.id
    )
