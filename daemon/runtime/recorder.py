"""The recorder: the single writer of one practice.

Everything that happens to a practice goes through `PracticeRecorder`. Each recording is ONE PostgreSQL transaction of three
steps: load what the events touch, fold and decide, save. If the transaction fails nothing has happened, and the same batch can be
recorded again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from daemon.runtime.counting import Stopwatch, count_batch
from daemon.runtime.given_up import is_given_up
from daemon.runtime.recording import Recording, recording_of
from daemon.runtime.redrive import redrive
from daemon.runtime.set_aside import instead_of, not_decided
from daemon.tables import open as still_open
from daemon.tables.unit_of_work import StoredProjections
from daemon.telemetry import Meter
from events.codec import encode_body
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
from events.keyed import Identified
from events.keys import Keyring
from events.records import type_of
from events.schema import Body, Event, ObservingBegan, Origin
from events.store import AWAY, Head, Store, Transaction
from events.topics import Change, Checkpoint
from projections.deciding.batch import Batch
from projections.deciding.replies import Redriven
from projections.rules.holds import FirstDay, first_day_of
from projections.rules.wants import Moment
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy

log = structlog.get_logger()

REVISIT_CHUNK = 50
OnlyIf = Callable[[PracticeState, PatientKey], bool]


@dataclass(frozen=True)
class _Loaded:
    """What one transaction folds and decides about: a batch, the events to take into it, and what connectors said along with them.

    `redriven` is what the redrives among `fresh` have found. `told` are the changes told for the first time, `unobserved` the events
    that no connector told, `repeated` the number of events that were recorded before.
    """

    batch: Batch
    fresh: Sequence[Event] = ()
    redriven: Mapping[EventId, Redriven] = field(default_factory=dict)
    told: Sequence[Change] = ()
    checkpoints: Sequence[Checkpoint] = ()
    unobserved: Sequence[Event] = ()
    repeated: int = 0


class PracticeRecorder:
    """See the module's docstring. `epoch` fences: a recorder that was overtaken raises Fenced and never writes again."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        policy: Policy,
        epoch: int,
        *,
        now: Callable[[], datetime],
        meter: Meter,
        on_recorded: Callable[[Recording], None],
    ) -> None:
        self.practice: PracticeId = policy.practice
        self.policy = policy
        self.epoch, self.now = epoch, now
        self.head = Head(0, epoch, None)  # how far the practice has come, as far as is known here
        self._store = store
        self._keyring = keyring
        self._meter = meter
        self._on_recorded = on_recorded
        self._lock = asyncio.Lock()
        self._stored = StoredProjections(policy.practice, keyring)
        self._pending_revisits = False
        self._undecided: set[PatientKey] = set()
        self._catching_up = False
        self._doubt = asyncio.Event()
        self._failures = 0

    # -- what others call -----------------------------------------------------------------------------------------------

    async def record_messages(self, messages: Sequence[Change | Checkpoint]) -> None:
        """Record what connectors published, in order. Recording the same again changes nothing."""
        changes = [message for message in messages if isinstance(message, Change)]
        checkpoints = [message for message in messages if isinstance(message, Checkpoint)]
        async with self._lock:
            events = [change.event for change in changes if change.event is not None]
            try:
                await self._record(events, changes=changes, checkpoints=checkpoints)
            except Exception as error:
                self._failures += 1
                if not is_given_up(error, self._failures):
                    raise
                log.error("batch_not_folded", practice=self.practice, count=len(messages), exc_info=error)
                await self._record_singly(messages)
            self._failures = 0
            await self._revisit_dependents()

    async def _record_singly(self, messages: Sequence[Change | Checkpoint]) -> None:
        """One at a time; what cannot be folded or decided about goes to quarantine."""
        for message in messages:
            try:
                if isinstance(message, Checkpoint):
                    await self._record([], checkpoints=[message])
                else:
                    await self._record_change(message)
            except Exception as error:
                if not is_given_up(error, self._failures):
                    raise
                await self._set_aside(message, error)

    async def _set_aside(self, message: Change | Checkpoint, error: Exception) -> None:
        """Record of a message what can be recorded. Raises where nothing can: then it is not the message that is wrong."""
        for make in instead_of(message, error) if isinstance(message, Change) else ():
            try:
                await self._record_change(make())
            except Exception as again:
                if not is_given_up(again, self._failures):
                    raise
                log.error("set_aside_failed", practice=self.practice, error_type=type(again).__name__)
            else:
                return
        await self._record([])
        log.error("message_dropped", practice=self.practice, error_type=type(error).__name__)
        self._meter.count("messages_dropped")

    async def _record_change(self, change: Change) -> None:
        await self._record([] if change.event is None else [change.event], changes=[change])

    async def record_bodies(
        self,
        bodies: Sequence[Body],
        *,
        ehr: EhrChartId | None,
        billing: BillingPatientId | None,
        cause: EventId | None,
        origin: Origin = Origin.CHARTWIRE,
        parts: Sequence[object] = (),
        only_if: OnlyIf | None = None,
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
                observed=observed or self.now(),
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

    @asynccontextmanager
    async def catching_up(self) -> AsyncIterator[None]:
        """The caller revisits until nothing is due. No recording has to wait for all of that meanwhile."""
        self._catching_up = True
        self._undecided.clear()
        try:
            yield
        finally:
            self._catching_up = False

    async def doubted(self) -> None:
        """Wait for a recording that failed and may have been made all the same: the answer to its COMMIT was lost. Recorded again it
        changes nothing. So look for what followed from it with `load_open`."""
        await self._doubt.wait()
        self._doubt.clear()

    def open_again(self) -> None:
        """What nobody works on is taken up as after a doubt: what a hold held, or a write whose outcome had been set aside."""
        self._doubt.set()

    async def first_day(self) -> FirstDay:
        """How far the practice is on its first day, by what is recorded; begins it where the configuration says so."""
        async with self._lock, self._store.writing(self.practice, self.epoch, after=self.head.sequence) as tx:
            directory = (await self._stored.state(tx)).directory
            self.head = Head(tx.sequence, self.epoch, tx.chain)
        day = first_day_of(directory, self.policy)
        if day is FirstDay.OBSERVED and not directory.observing:
            await self.record_practice([ObservingBegan()])
        return day

    async def record_practice(self, bodies: Sequence[Body]) -> None:
        """Record a decision about the practice at large; each counts anew."""
        await self.record_bodies(bodies, ehr=None, billing=None, cause=None, parts=(self.now().isoformat(),))

    async def record_about(self, found: Mapping[PatientKey, Body]) -> None:
        """Record something about each of several patients, in one transaction; the same again changes nothing."""
        events = [
            Event(
                id=event_id(self.practice, type_of(body), key, content_hash(encode_body(body))),
                practice=self.practice,
                origin=Origin.CHARTWIRE,
                observed=self.now(),
                body=body,
                ehr=charts_of(key).ehr,
                billing=charts_of(key).billing,
            )
            for key, body in found.items()
        ]
        async with self._lock:
            await self._record(events)

    async def load_open(self) -> Recording:
        """All patients with open intents, and the directory: what the sinks start from after a take-over."""
        async with self._lock:
            return await self._load_open()

    async def _load_open(self) -> Recording:
        try:
            async with self._store.writing(self.practice, self.epoch, after=self.head.sequence) as tx:
                open_ = await still_open.list_open_intents(tx.connection, self.practice)
                state = await self._stored.state(tx, {PatientKey(row.patient_key) for row in open_ if row.patient_key})
                asked = sorted(state.patients.values(), key=_first_asked)
                return Recording(patients={one.key: one for one in asked}, directory=state.directory)
        except AWAY:
            self._doubt.set()
            raise

    # -- one transaction --------------------------------------------------------------------------------------------------

    async def _record(
        self,
        events: Sequence[Event],
        *,
        changes: Sequence[Change] = (),
        checkpoints: Sequence[Checkpoint] = (),
        only_if: OnlyIf | None = None,
    ) -> bool:
        """Record what is not recorded yet. False when `only_if` says no."""

        async def load(tx: Transaction) -> _Loaded | None:
            plain = {one.event.id: one.plain for one in changes if one.event is not None and one.plain is not None}
            same = Identified.of(self._keyring, events, plain)
            known = await tx.known(list(same.forms))
            fresh = list({event.id: event for event in same.events if not same.is_known(event.id, known)}.values())
            state = await self._stored.state(tx)
            await self._stored.load_for(tx, state, fresh if only_if is None else events)
            if only_if is not None and not only_if(state, state.key_of(events[0].ehr, events[0].billing)):
                return None
            fresh = await self._stored.to_holders(tx, state, fresh)
            redriven = await redrive(tx, state.directory, fresh, self._keyring)
            await self._stored.load_for(tx, state, [one.event for one in redriven.values() if one.event is not None])
            return _Loaded(
                Batch(self.practice, state, self.policy, self._moment()),
                fresh=fresh,
                redriven=redriven,
                told=[one for one in changes if one.event is None or not same.is_known(one.event.id, known)],
                checkpoints=checkpoints,
                unobserved=() if changes else fresh,
                repeated=len(events) - len(fresh),
            )

        return await self._transact(load) is not None

    async def _revisit_due(self, reason: str) -> int:
        """Decide again about some of the patients that are due. Returns how many."""

        async def load(tx: Transaction) -> _Loaded | None:
            most = REVISIT_CHUNK + len(self._undecided)
            due = await still_open.patients_to_revisit(tx.connection, self.practice, self._moment().today, most)
            keys.extend([key for key in due if key not in self._undecided][:REVISIT_CHUNK])
            return await self._looked_at_again(tx, keys, reason) if keys else None

        keys: list[PatientKey] = []
        try:
            await self._transact(load)
        except Exception as error:
            if not keys or not is_given_up(error, 1):
                raise
            log.error("patients_not_decided", practice=self.practice, count=len(keys), error_type=type(error).__name__)
            for key in keys:
                await self._revisit_one(key, reason)
        return len(keys)

    async def _revisit_one(self, key: PatientKey, reason: str) -> None:
        """Decide again about one patient; who cannot be decided about is shown, and left until all are looked at the next time."""
        try:
            await self._transact(lambda tx: self._looked_at_again(tx, [key], reason))
        except Exception as error:
            if not is_given_up(error, 1):
                raise
            self._undecided.add(key)
            shown = not_decided(key, error)
            id_ = event_id(self.practice, "not decided", key, self._moment().today)
            await self._record(
                [Event(id=id_, practice=self.practice, origin=Origin.CHARTWIRE, observed=self.now(), body=shown)]
            )

    async def _looked_at_again(self, tx: Transaction, keys: list[PatientKey], reason: str) -> _Loaded:
        batch = Batch(self.practice, await self._stored.state(tx, keys), self.policy, self._moment())
        batch.look_again(keys, reason, tx.sequence)
        return _Loaded(batch)

    async def _transact(self, load: Callable[[Transaction], Awaitable[_Loaded | None]]) -> Recording | None:
        """Load, fold and decide, save; then tell. None when `load` finds nothing to do."""
        try:
            async with self._store.writing(self.practice, self.epoch, after=self.head.sequence) as tx:
                loaded = await load(tx)
                if loaded is None:
                    return None
                batch, watch = loaded.batch, Stopwatch()
                with watch.part("fold"):
                    for event in loaded.fresh:
                        batch.take(event, loaded.redriven.get(event.id))
                while missing := watch.timed("fold", batch.settle):
                    await self._stored.load_missing(tx, batch.state, missing)
                with watch.part("append"):
                    recorded = await tx.append(batch.events)
                await self._stored.save(tx, batch)
                await self._stored.note(tx, loaded.told, loaded.checkpoints, batch, loaded.unobserved)
        except BaseException as error:
            self._failed(error)
            raise
        self.head = Head(tx.sequence, self.epoch, tx.chain)
        self._stored.keep(batch.state.directory)
        self._pending_revisits = self._pending_revisits or bool(batch.dependencies)
        count_batch(self._meter, batch, loaded.repeated)
        watch.tell(self._meter)
        recording = recording_of(recorded, batch)
        self._on_recorded(recording)
        return recording

    async def _revisit_dependents(self) -> None:
        """Decide about the patients that waited for what has come. Where PostgreSQL fails here, the next recording does it."""
        if self._stored.take_rebuilt():
            self._on_recorded(await self._load_open())
        if self._pending_revisits and not self._catching_up:
            self._pending_revisits = False
            try:
                while await self._revisit_due("what it waited for has come"):
                    pass
            except AWAY:
                self._pending_revisits = True
                raise

    # -- small things -----------------------------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        """A transaction failed, or only its answer was lost."""
        self._stored.forget()
        if isinstance(error, AWAY):
            self._doubt.set()

    def _moment(self) -> Moment:
        return Moment.at(self.now(), self.policy.time_zone)


def _first_asked(patient: Patient) -> tuple[str, PatientKey]:
    """What was asked for first comes first."""
    return min((one.requested.isoformat() for one in patient.intents.values() if one.requested), default=""), patient.key
