"""The recorder: the single writer of one practice.

Everything that happens to a practice goes through `PracticeRecorder`: it appends events idempotently, folds the projections
they touch, decides, and stores all of it in ONE PostgreSQL transaction (DESIGN 1.3). If the transaction fails nothing has
happened, and the same batch can be recorded again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import structlog

from daemon import rows, tables
from daemon.redrive import charts_of, record_of, redriven
from daemon.telemetry import Meter
from events.codec import Keyring, encode_body
from events.ids import (
    ElationChartId,
    EventId,
    KareoPatientId,
    PatientKey,
    PracticeId,
    content_hash,
    elation_key,
    event_id,
)
from events.schema import (
    BillObserved,
    Body,
    ChangeQuarantined,
    ChartLinked,
    ChartUnlinked,
    Command,
    CommandRefused,
    ConflictRecorded,
    ElationChartObserved,
    ElationDirectoryObserved,
    Event,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    KareoAppointmentObserved,
    KareoChartObserved,
    KareoDirectoryObserved,
    LinkMoved,
    ObservingBegan,
    Origin,
    PairBarred,
    Recorded,
    RedriveRequested,
    RevisitDue,
    WaitingCleared,
    WentLive,
)
from events.store import AWAY, Fenced, Store, Transaction
from events.topics import Change, Checkpoint
from events.writes import System
from projections.directory import Directory, quarantine_slot
from projections.intents import decide, is_settled
from projections.links import references
from projections.patient import Patient, decode_patient, in_doubt
from projections.policy import Policy
from projections.repair import answer
from projections.state import PracticeState
from projections.wants import Moment

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
        self._directory: Directory | None = None
        self._rebuilt: int | None = None
        self._offer_again = False
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
        elation: ElationChartId | None,
        kareo: KareoPatientId | None,
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
                id=event_id(self.practice, type(body).__name__, *parts, index),
                practice=self.practice,
                origin=origin,
                observed=observed or self._now(),
                modified=modified,
                body=body,
                elation=elation,
                kareo=kareo,
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
            observing = (await self._state(tx, set())).directory.observing
        if self.policy.observes and not observing:
            await self.record_practice([ObservingBegan()])
        return observing or self.policy.observes

    async def record_practice(self, bodies: Sequence[Body]) -> None:
        """Record a decision about the practice at large; each counts anew."""
        await self.record_bodies(bodies, elation=None, kareo=None, cause=None, parts=(self._now().isoformat(),))

    async def record_about(self, found: Mapping[PatientKey, Body]) -> None:
        """Record something about each of several patients, in one transaction; the same again changes nothing."""
        events = [
            Event(
                id=event_id(self.practice, type(body).__name__, key, content_hash(encode_body(body))),
                practice=self.practice,
                origin=Origin.CHARTWIRE,
                observed=self._now(),
                body=body,
                elation=None if key.startswith("K:") else ElationChartId(int(key[2:])),
                kareo=KareoPatientId(int(key[2:])) if key.startswith("K:") else None,
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
            state = await self._state(tx, {PatientKey(row.patient_key) for row in open_ if row.patient_key})
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
                state = await self._state_for(tx, fresh.values() if only_if is None else events)
                if only_if is not None and not only_if(state, _key(state, events[0])):
                    return False
                work = _Work(self.practice, state, self.policy, self._moment())
                for event in fresh.values():
                    if isinstance(event.body, RedriveRequested):
                        await self._redrive(tx, work, event, event.body)
                    else:
                        work.take(event)
                await self._decide(tx, work)
                outcome.recorded = await tx.append(work.events)
                await self._save(tx, work)
                await self._note(tx, changes, checkpoints, work.in_doubt)
                outcome.patients = {key: state.patients[key] for key in state.changed}
                outcome.gone = set(state.gone)
                outcome.directory = state.directory if state.directory_changed else None
                outcome.reread = work.in_doubt
        except BaseException as error:
            self._directory = None
            if isinstance(error, AWAY):
                self.doubt.set()
            raise
        self._directory = state.directory
        self._count(work, len(events) - len(fresh))
        self._on_recorded(outcome)
        return True

    async def _redrive(self, tx: Transaction, work: _Work, event: Event, body: RedriveRequested) -> None:
        """What was set aside is recorded as if it came now; what a connector could not read is read again by its connector."""
        found = await redriven(tx, work.state.directory, body, event, self._keyring)
        if not isinstance(found, Event):
            work.take(event, refused=found)
            return
        work.take(event)
        work.take(work.following(WaitingCleared(slot=body.slot, how="tried again"), event))
        if not await tx.known([found.id]):
            charts, patients = charts_of(found)
            await self._load(tx, work.state, charts, patients)
            work.take(found)

    async def _decide(self, tx: Transaction, work: _Work) -> None:
        """Decide about every patient touched until nothing more follows."""
        rounds = 0
        while work.touched:
            key, cause = work.touched.popitem()
            rounds += 1
            if rounds > ROUNDS * (1 + len(work.events)):
                raise Undecided(", ".join(sorted({event.type for event in work.events[-6:]})))
            if key in work.state.patients:
                await self._load_references(tx, work.state, work.state.patients[key])
                work.decide(key, cause)

    async def _state_for(self, tx: Transaction, events: Iterable[Event]) -> PracticeState:
        charts: set[ElationChartId] = set()
        patients: set[KareoPatientId] = set()
        for event in events:
            more_charts, more_patients = charts_of(event)
            charts |= more_charts
            patients |= more_patients
        state = await self._state(tx, set())
        await self._load(tx, state, charts, patients)
        return state

    async def _state(self, tx: Transaction, keys: set[PatientKey]) -> PracticeState:
        if tx.rebuilt != self._rebuilt:  # beside us: what we keep, and what the sinks were told, may be wrong
            self._offer_again = self._rebuilt is not None
            self._directory, self._rebuilt = None, tx.rebuilt
        if self._directory is None:
            stored = await tables.load_directory(tx.connection, self.practice, self._keyring)
            self._directory = rows.decode_directory(stored) if stored is not None else Directory()
        state = PracticeState(directory=self._directory)
        await self._load_keys(tx, state, keys)
        return state

    async def _load(
        self, tx: Transaction, state: PracticeState, charts: set[ElationChartId], patients: set[KareoPatientId]
    ) -> None:
        unknown = [chart for chart in charts if chart not in state.charts]
        for chart, key in (await tables.resolve_charts(tx.connection, self.practice, unknown)).items():
            state.charts[ElationChartId(chart)] = key
        keys = {state.key_of(chart, None) for chart in charts} | {state.key_of(None, patient) for patient in patients}
        await self._load_keys(tx, state, keys)

    async def _load_keys(self, tx: Transaction, state: PracticeState, keys: set[PatientKey]) -> None:
        missing = [key for key in keys if key not in state.patients and key not in state.gone]
        if not missing:
            return
        stored = await tables.load_patients(tx.connection, self.practice, missing, self._keyring)
        for key, (_, encoded) in stored.items():
            patient = decode_patient(encoded)
            state.patients[key] = patient
            if patient.elation is not None:
                state.charts.setdefault(patient.elation.chart.id, key)
            if patient.link is not None:
                state.charts.setdefault(patient.link.elation, key)

    async def _load_references(self, tx: Transaction, state: PracticeState, patient: Patient) -> None:
        """The other patients that deciding about this one looks at; merges chain, so until nothing new turns up."""
        pending, seen = [patient], {patient.key}
        while pending:
            charts, patients = references(pending.pop())
            if not charts and not patients:
                continue
            await self._load(tx, state, charts, patients)
            for key in {state.key_of(chart, None) for chart in charts} | {state.key_of(None, one) for one in patients}:
                if key not in seen and key in state.patients:
                    seen.add(key)
                    pending.append(state.patients[key])

    async def _save(self, tx: Transaction, work: _Work) -> None:
        state, connection = work.state, tx.connection
        changed = {key: state.patients[key] for key in state.changed}
        if state.gone:
            await tables.delete_patients(connection, self.practice, sorted(state.gone))
        if changed:
            today = work.moment.today
            documents = [rows.patient_row(patient, tx.sequence, today) for patient in changed.values()]
            await tables.save_patients(connection, self.practice, documents, self._keyring)
        if state.recharted:
            await tables.save_charts(connection, self.practice, {chart: state.charts[chart] for chart in state.recharted})
        if work.relinked:
            pairs = rows.link_rows(one for one in changed.values() if one.key in work.relinked)
            await tables.replace_links(connection, self.practice, pairs, unlinked=work.unlinked)
        await tables.replace_open_intents(
            connection,
            self.practice,
            {**{key: rows.intent_rows(one.intents) for key, one in changed.items()}, **dict.fromkeys(state.gone, ())},
        )
        await tables.replace_waiting(
            connection,
            self.practice,
            {**{key: rows.waiting_rows(one.waiting) for key, one in changed.items()}, **dict.fromkeys(state.gone, ())},
            self._now(),
        )
        if state.directory_changed:
            directory, nobody = state.directory, PatientKey("")
            encoded = rows.encode_directory(directory)
            await tables.save_directory(connection, self.practice, tx.sequence, encoded, self._keyring)
            intents, waiting = rows.intent_rows(directory.intents), rows.waiting_rows(directory.waiting)
            await tables.replace_open_intents(connection, self.practice, {nobody: intents})
            await tables.replace_waiting(connection, self.practice, {nobody: waiting}, self._now())
        if any(isinstance(event.body, WentLive) for event in work.events):
            await tables.mark_all_for_revisit(connection, self.practice, work.moment.today)
        if work.dependencies:
            await tables.mark_for_revisit(connection, self.practice, sorted(work.dependencies), work.moment.today)

    async def _note(
        self, tx: Transaction, changes: Sequence[Change], checkpoints: Sequence[Checkpoint], in_doubt: set[tuple[str, str]]
    ) -> None:
        """What connectors compare with next time, and how far they have come; a record in doubt compares with nothing."""
        if changes:
            notes = [note for change in changes for note in change.notes]
            notes = [
                msgspec.structs.replace(one, content_hash="") if (one.resource, one.record) in in_doubt else one
                for one in notes
            ]
            await tables.save_observed(tx.connection, self.practice, notes)
        for checkpoint in checkpoints:
            await tables.set_checkpoint(tx.connection, self.practice, checkpoint.source, checkpoint.value)

    # -- looking again ----------------------------------------------------------------------------------------------------

    async def _revisit_dependents(self) -> None:
        if self._offer_again:
            self._offer_again = False
            self._on_recorded(await self._load_open())
        if self._pending_revisits and not self.catching_up:
            self._pending_revisits = False
            while await self._revisit_due("what it waited for has come"):
                pass

    async def _revisit_due(self, reason: str) -> int:
        try:
            return await self._revisit_some(reason)
        except BaseException:
            self._directory = None  # the answer to a commit may have been lost
            raise

    async def _revisit_some(self, reason: str) -> int:
        moment = self._moment()
        outcome = Outcome()
        async with self._store.writing(self.practice, self.epoch) as tx:
            keys = await tables.patients_to_revisit(tx.connection, self.practice, moment.today, REVISIT_CHUNK)
            if not keys:
                return 0
            state = await self._state(tx, set(keys))
            work = _Work(self.practice, state, self.policy, moment)
            for key in keys:
                patient = state.patients.get(key)
                if patient is None:
                    continue
                await self._load_references(tx, state, patient)
                work.revisit(patient, reason, tx.sequence)
            await self._decide(tx, work)
            state.changed |= {key for key in keys if key in state.patients}
            outcome.recorded = await tx.append(work.events)
            await self._save(tx, work)
            outcome.patients = {key: state.patients[key] for key in state.changed}
            outcome.gone = set(state.gone)
            outcome.directory = state.directory if state.directory_changed else None
        self._directory = state.directory
        self._count(work, 0)
        self._on_recorded(outcome)
        return len(keys)

    # -- small things -----------------------------------------------------------------------------------------------------

    def _moment(self) -> Moment:
        now = self._now()
        return Moment(now=now, today=now.astimezone(self._zone).date())

    def _count(self, work: _Work, repeated: int) -> None:
        self._pending_revisits = self._pending_revisits or bool(work.dependencies)
        self._meter.count("changes_repeated", repeated)
        self._meter.count("echoes_suppressed", work.echoes)
        for event in work.events:
            if event.origin in (Origin.ELATION, Origin.KAREO):
                self._meter.count("changes_seen")
            elif isinstance(event.body, ConflictRecorded):
                self._meter.count("conflicts", len(event.body.conflicts))
            elif isinstance(event.body, IntentRefused):
                self._meter.count("refusals")
        self._meter.count("events_recorded", len(work.events))


def _set_aside(practice: PracticeId, event: Event, error: Exception) -> Event:
    """The quarantine of an event that defeats us: kept whole, about the practice, waiting for a fix; a command is refused."""
    reason = f"cannot be folded ({type(error).__name__}); report it"
    body: Body = CommandRefused(command=event.type, code="defect", text=reason)
    if event.origin in (Origin.ELATION, Origin.KAREO):
        system, record = System(event.origin.value), record_of(event)
        body = ChangeQuarantined(
            system=system, resource=event.type, record=record, reason=reason, raw=encode_body(event.body)
        )
    id_ = event_id(practice, "set aside", event.id)
    return msgspec.structs.replace(
        event, id=id_, practice=practice, body=body, elation=None, kareo=None, cause=event.cause or event.id
    )


class _Work:
    """The events of one transaction as they accumulate, and who has to be decided about because of them."""

    def __init__(self, practice: PracticeId, state: PracticeState, policy: Policy, moment: Moment) -> None:
        self.practice = practice
        self.state = state
        self.policy = policy
        self.moment = moment
        self.events: list[Event] = []
        self.touched: dict[PatientKey, Event] = {}
        self.relinked: set[PatientKey] = set()
        self.unlinked: set[KareoPatientId] = set()
        self.dependencies: set[str] = set()
        self.in_doubt: set[tuple[str, str]] = set()
        self.echoes = 0
        self._since: dict[PatientKey, datetime | None] = {}

    def take(self, event: Event, refused: CommandRefused | None = None) -> None:
        """Append one event, fold it, and remember whom it concerns; a command is answered."""
        if not isinstance(event.body, Command):
            self._take(event, _key(self.state, event))
            return
        reply = answer(self.state, event.elation, event.kareo, event.body, self.policy)
        refused = refused or reply.refused
        if refused is not None:
            self._take(event, PatientKey(""))
            self._take(self.following(refused, event, event.elation, event.kareo), PatientKey(""))
            return
        self._take(event, reply.about)
        for body in reply.follows:
            charts = _charts(self.state.patients[reply.about]) if reply.about else (None, None)
            if isinstance(body, ChartLinked | ChartUnlinked | PairBarred):
                charts = body.elation, body.kareo
            self._take(self.following(body, event, *charts), reply.about)

    def _take(self, event: Event, key: PatientKey) -> None:
        event = msgspec.structs.replace(event, patient=key)
        before = self.state.patients.get(key)
        self.state.apply(event, len(self.events))
        self.events.append(event)
        if key:
            self.touched[key] = event
            self._notice(event, before)
        else:
            self._notice_practice(event)

    def _notice(self, event: Event, before: Patient | None) -> None:
        after = self.state.patients[event.patient]
        body = event.body
        if in_doubt(before, event):
            record = ("bills", body.bill.id) if isinstance(body, BillObserved) else ("patients", event.elation)
            self.in_doubt.add((record[0], str(record[1])))
        if event.origin in (Origin.ELATION, Origin.KAREO):
            polled = event.origin is Origin.KAREO
            self._since[event.patient] = event.observed if polled else event.modified or event.observed
        elif isinstance(body, IntentSucceeded) and before is not None and body.slot in before.intents:
            self._since[event.patient] = before.intents[body.slot].since
        if isinstance(body, ChartLinked | LinkMoved):
            self.relinked.add(event.patient)
            linked = body.elation if isinstance(body, ChartLinked) else body.target
            self.dependencies |= {f"chart:{linked}", f"patient:{body.kareo}"}
        elif isinstance(body, ChartUnlinked | PairBarred):
            self.touched[elation_key(body.elation)] = event
            if isinstance(body, ChartUnlinked):
                self.relinked.add(event.patient)
                self.unlinked.add(body.kareo)
                self.dependencies |= {f"chart:{body.elation}", f"patient:{body.kareo}"}
        elif isinstance(body, BillObserved):
            if before is None or str(body.bill.id) not in before.bills:
                self.dependencies.add(f"bill:{body.bill.id}")
        elif isinstance(body, ElationChartObserved):
            if before is None or before.elation is None:
                self.dependencies.add(f"chart:{body.chart.id}")
            elif before.link is not None and after.elation and before.elation.chart == after.elation.chart:
                self.echoes += 1
        elif isinstance(body, KareoChartObserved) and before is not None and before.link is not None and before.kareo:
            self.echoes += bool(after.kareo and before.kareo.chart == after.kareo.chart)
        if event.origin in (Origin.ELATION, Origin.KAREO):
            self._understood(event)

    def _notice_practice(self, event: Event) -> None:
        body = event.body
        if isinstance(body, ElationDirectoryObserved | KareoDirectoryObserved):
            self.dependencies.add("directory")
        elif isinstance(body, IntentSucceeded | IntentRefused | IntentSuperseded):
            self.dependencies.add(body.slot)

    def _understood(self, event: Event) -> None:
        """A record that could not be used before and now can waits no longer."""
        waiting = self.state.directory.waiting
        if not any(slot.startswith("quarantine:") for slot in waiting):
            return
        for slot in _quarantined_as(event):
            if slot in waiting:
                self.take(self._event(WaitingCleared(slot=slot, how="understood now"), event, 0, None, None))

    def decide(self, key: PatientKey, cause: Event) -> None:
        """Decide about one patient and take what follows."""
        bodies, shared = decide(self.state, key, self.policy, self.moment, cause.id)
        patient = self.state.patients[key]
        start = len(self.events)
        since = self._since.get(key)
        for body in bodies:
            elation, kareo = _charts(patient)
            if isinstance(body, IntentRequested):
                body = msgspec.structs.replace(body, since=since)
            if isinstance(body, ChartLinked | LinkMoved):
                elation, kareo = (body.elation if isinstance(body, ChartLinked) else body.target), body.kareo
            self.take(self._event(body, cause, len(self.events) - start, elation, kareo))
        for body in shared:
            if isinstance(body, IntentRequested):
                body = msgspec.structs.replace(body, since=since)
            self.take(self._event(body, cause, len(self.events) - start, None, None))
        if is_settled(patient, bodies, shared):
            self.touched.pop(key, None)

    def following(
        self, body: Body, cause: Event, elation: ElationChartId | None = None, kareo: KareoPatientId | None = None
    ) -> Event:
        """An event that `cause` led to."""
        return self._event(body, cause, 0, elation, kareo)

    def revisit(self, patient: Patient, reason: str, sequence: int) -> None:
        """Look at a patient again; recorded as an event only when something follows from it."""
        elation, kareo = _charts(patient)
        due = Event(
            id=event_id(self.practice, "RevisitDue", patient.key, sequence, reason),
            practice=self.practice,
            origin=Origin.CHARTWIRE,
            observed=self.moment.now,
            body=RevisitDue(reason=reason),
            elation=elation,
            kareo=kareo,
        )
        bodies, shared = decide(self.state, patient.key, self.policy, self.moment, due.id)
        if bodies or shared:
            self.take(due)

    def _event(
        self, body: Body, cause: Event, ordinal: int, elation: ElationChartId | None, kareo: KareoPatientId | None
    ) -> Event:
        return Event(
            id=event_id(self.practice, type(body).__name__, cause.id, len(self.events), ordinal),
            practice=self.practice,
            origin=Origin.CHARTWIRE,
            observed=self.moment.now,
            body=body,
            elation=elation,
            kareo=kareo,
            cause=cause.id,
            correlation=cause.correlation or cause.id,
        )


def _quarantined_as(event: Event) -> tuple[str, ...]:
    """The slots in which this record would wait, had it not been read or folded; an occurrence has its key or its id."""
    return (*_unread_as(event), quarantine_slot(event.origin.value, event.type, record_of(event)))


def _unread_as(event: Event) -> tuple[str, ...]:
    match event.body:
        case ElationChartObserved(chart=chart):
            return (quarantine_slot("elation", "patients", str(chart.id)),)
        case KareoChartObserved(chart=there):
            return (quarantine_slot("kareo", "patients", str(there.id)),)
        case BillObserved(bill=bill):
            return (quarantine_slot("elation", "bills", str(bill.id)),)
        case KareoAppointmentObserved(appointment=one):
            return tuple(quarantine_slot("kareo", "appointments", name) for name in sorted({one.key, str(one.id)}))
    return ()


def _key(state: PracticeState, event: Event) -> PatientKey:
    return state.key_of(event.elation, event.kareo)


def _charts(patient: Patient) -> tuple[ElationChartId | None, KareoPatientId | None]:
    """The chart ids that events about `patient` carry."""
    if patient.link is not None:
        return patient.link.elation, patient.link.kareo
    number = int(patient.key[2:])
    return (None, KareoPatientId(number)) if patient.in_kareo else (ElationChartId(number), None)
