"""A practice's projections in PostgreSQL, as its recorder reads and saves them inside its transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from daemon.tables import documents as tables
from daemon.tables import observed, rows
from daemon.tables import open as still_open
from daemon.tables.days import DayTable
from daemon.tables.matching import MatchTables, charts_in
from events.bookings import EhrAppointmentGone
from events.codec import Keyring, encode_body
from events.commands import MoveLinkRequested
from events.holds import RecordLeftUnread
from events.ids import (
    PRACTICE,
    BillingPatientId,
    EhrChartId,
    PatientKey,
    PracticeId,
    charts_of,
    is_billing_key,
    number_of,
)
from events.keyed import hashed
from events.merges import BillingLinkMoved
from events.schema import (
    BillingChartObserved,
    ChartLinked,
    Event,
    IntentSucceeded,
    LinkMoved,
    Outcome,
    WaitingCleared,
    WentLive,
)
from events.slots import CHART_SLOT, set_aside_in
from events.store import Transaction
from events.topics import Change, Checkpoint, Note, aside_of, row_of
from events.writes import BillingChartWritten, System
from projections.deciding.batch import UNDERSTOOD, Batch, Missing
from projections.matching import Normal, pair_of
from projections.rules.links import absorbers
from projections.state.directory import Directory, decode_directory, encode_directory, fold_directory
from projections.state.patient import Patient, decode_patient
from projections.state.state import Alike, PracticeState

ITSELF_AND_TWINS = 4
"""Charts of its own system that are compared with one that is to be created: who is entered twice shares nearly everything."""


class StoredProjections:
    """The directory is kept from one transaction to the next: tell what was committed with `keep`, or `forget` it."""

    def __init__(self, practice: PracticeId, keyring: Keyring) -> None:
        self.practice = practice
        self._rebuilt_beside = False
        self._keyring = keyring
        self._directory: Directory | None = None
        self._loaded: dict[PatientKey, Patient] = {}
        self._rebuilt: int | None = None
        self._matching = MatchTables(practice, keyring)
        self._days = DayTable(practice, keyring)

    def keep(self, directory: Directory) -> None:
        """This directory is committed."""
        self._directory = directory

    def forget(self) -> None:
        """The transaction failed, or the answer to its commit was lost."""
        self._directory = None
        self._matching.forget()
        self._days.forget()

    def take_rebuilt(self) -> bool:
        """Whether a rebuild has replaced the projections since the last call: what the sinks were told may be wrong."""
        rebuilt, self._rebuilt_beside = self._rebuilt_beside, False
        return rebuilt

    # -- reading ----------------------------------------------------------------------------------------------------------

    async def state(self, tx: Transaction, keys: Iterable[PatientKey] = ()) -> PracticeState:
        """The directory and these patients."""
        if tx.rebuilt != self._rebuilt:
            self._rebuilt_beside = self._rebuilt_beside or self._rebuilt is not None
            self._directory, self._rebuilt = None, tx.rebuilt
            self._matching.forget()
            self._days.forget()
        await self._days.ensure(tx.connection)
        if self._directory is None:
            self._directory = await self._stored_directory(tx)
        self._loaded = {}
        state = PracticeState(directory=self._directory)
        await self._load_keys(tx, state, keys)
        return state

    async def _stored_directory(self, tx: Transaction) -> Directory:
        """The directory as stored; where an older worker has folded it otherwise, it is folded anew and kept."""
        stored = await tables.stored_directory(tx.connection, self.practice, self._keyring)
        if stored is None:
            return Directory()
        if not stored.outdated:
            return decode_directory(stored.doc)
        directory, now = Directory(), None
        async for one in tx.of_practice():
            directory, now = fold_directory(directory, one.event), one.recorded
        if now is not None:
            encoded = encode_directory(directory)
            await tables.save_directory(tx.connection, self.practice, stored.sequence, encoded, self._keyring)
            open_ = {PRACTICE: rows.open_rows(directory)}
            await still_open.replace_open(tx.connection, self.practice, open_, now)
        return directory

    async def load_for(self, tx: Transaction, state: PracticeState, events: Iterable[Event]) -> None:
        """Add the patients that these events are about, and of appointments that are gone whoever their charts were merged into."""
        events = list(events)
        charts: set[EhrChartId] = set()
        patients: set[BillingPatientId] = set()
        for event in events:
            more_charts, more_patients = _charts_of(event)
            charts |= more_charts
            patients |= more_patients
        await self._load(tx, state, charts, patients)
        gone = {event.body.chart for event in events if isinstance(event.body, EhrAppointmentGone)}
        while ahead := {one for chart in gone for one in absorbers(chart, state)} - charts:
            charts |= ahead
            await self._load(tx, state, ahead, set())

    async def to_holders(self, tx: Transaction, state: PracticeState, events: Sequence[Event]) -> list[Event]:
        """The events, those of an intent under the charts of the patient that has it open; that patient is loaded.

        Charts that were linked, or whose link moved, while a request was under way are another patient's by its end.
        """
        return [await self._to_holder(tx, state, event) for event in events]

    async def _to_holder(self, tx: Transaction, state: PracticeState, event: Event) -> Event:
        if not isinstance(event.body, Outcome) or (event.ehr is None and event.billing is None):
            return event
        patient = state.patients.get(state.key_of(event.ehr, event.billing))
        if patient is not None and any(one.intent == event.body.intent for one in patient.intents.values()):
            return event
        holder = await still_open.holder_of_intent(tx.connection, self.practice, event.body.intent)
        if not holder:
            return event
        await self._load_keys(tx, state, [holder])
        charts = charts_of(holder)
        return msgspec.structs.replace(event, ehr=charts.ehr, billing=charts.billing)

    async def load_missing(self, tx: Transaction, state: PracticeState, missing: Missing) -> None:
        """Add the patients that deciding looks at (`Batch.settle`)."""
        await self._load(tx, state, missing.ehr, missing.billing)
        if missing.alike:
            await self._look_for(tx, state, missing.alike)

    async def _look_for(self, tx: Transaction, state: PracticeState, keys: Iterable[PatientKey]) -> None:
        """Who is like these unlinked patients in our own copy of the other system, and who of their own is like those."""
        people = {one: _person(state.patients[one]) for one in sorted(keys)}
        theirs: dict[PatientKey, tuple[int, ...]] = {}
        ours: dict[PatientKey, tuple[int, ...]] = {}
        undecided: dict[PatientKey, tuple[int, ...]] = {}
        for system, other in ((System.EHR, System.BILLING), (System.BILLING, System.EHR)):
            asking: dict[str, Normal] = {
                key: one for key, one in people.items() if is_billing_key(key) is (system is System.BILLING)
            }
            if not asking:
                continue
            found = await self._sharing(tx, state, other, asking)
            theirs |= {PatientKey(key): charts for key, charts in found.items()}
            alike = {key: _alike(asking[key], charts, state, other) for key, charts in found.items()}
            wanted = {str(chart): one for each in alike.values() for chart, one in each.items()}
            beside = await self._sharing(tx, state, system, wanted) if wanted else {}
            for key, each in alike.items():
                near = {chart for one in each for chart in beside.get(str(one), ())}
                ours[PatientKey(key)] = tuple(sorted(near - {number_of(PatientKey(key))}))
            undecided |= await self._undecided(tx, state, system, asking)
        compared = charts_in(state.patients.values()).values()
        state.frequencies = await self._matching.frequencies(tx.connection, people.values(), compared, among=True)
        for key in people:
            state.alike[key] = Alike(theirs=theirs.get(key, ()), ours=ours.get(key, ()), undecided=undecided.get(key, ()))

    async def _undecided(
        self, tx: Transaction, state: PracticeState, system: System, people: Mapping[str, Normal]
    ) -> dict[PatientKey, tuple[int, ...]]:
        """The charts of `system`, which is these people's own, that share keys with them and for which a counterpart may be being created,
        or a person asked. Their patients are loaded. All others are linked, or come later and find these.
        """
        found = await self._matching.sharing(tx.connection, system, people, self._changed(state), ITSELF_AND_TWINS)
        keys = {chart: state.key_in(chart, ehr=system is System.EHR) for each in found.values() for chart in each}
        unknown = {key for key in keys.values() if key not in state.patients}
        await self._load_keys(tx, state, await still_open.open_in_slot(tx.connection, self.practice, unknown, CHART_SLOT))
        return {
            PatientKey(name): tuple(one for one in charts if keys[one] in state.patients and keys[one] != name)
            for name, charts in found.items()
        }

    async def _sharing(
        self, tx: Transaction, state: PracticeState, system: System, people: Mapping[str, Normal]
    ) -> dict[str, tuple[int, ...]]:
        """The charts of `system` that share keys with these people; their patients are loaded."""
        found = await self._matching.sharing(tx.connection, system, people, self._changed(state))
        charts = {chart for each in found.values() for chart in each}
        if system is System.EHR:
            await self._load(tx, state, {EhrChartId(one) for one in charts}, set())
        else:
            await self._load(tx, state, set(), {BillingPatientId(one) for one in charts})
        return found

    @staticmethod
    def _changed(state: PracticeState) -> list[Patient]:
        """The patients that are not in the tables as they are by now."""
        return [state.patients[key] for key in state.changed if key in state.patients]

    async def _load(
        self, tx: Transaction, state: PracticeState, charts: set[EhrChartId], patients: set[BillingPatientId]
    ) -> None:
        unknown = [chart for chart in charts if chart not in state.charts]
        for chart, key in (await tables.resolve_charts(tx.connection, self.practice, unknown)).items():
            state.charts[EhrChartId(chart)] = key
        keys = {state.key_of(chart, None) for chart in charts} | {state.key_of(None, patient) for patient in patients}
        await self._load_keys(tx, state, keys)

    async def _load_keys(self, tx: Transaction, state: PracticeState, keys: Iterable[PatientKey]) -> None:
        missing = [key for key in keys if key not in state.patients and key not in state.gone]
        if not missing:
            return
        stored = await tables.load_patients(tx.connection, self.practice, missing, self._keyring)
        for key, (_, encoded) in stored.items():
            patient = self._loaded[key] = state.patients[key] = decode_patient(encoded)
            if patient.ehr is not None:
                state.charts.setdefault(patient.ehr.chart.id, key)
            if patient.link is not None:
                state.charts.setdefault(patient.link.ehr, key)

    # -- saving -----------------------------------------------------------------------------------------------------------

    async def save(self, tx: Transaction, batch: Batch) -> None:
        """What the events of `batch` have changed."""
        state, connection = batch.state, tx.connection
        changed = {key: state.patients[key] for key in state.changed}
        if state.gone:
            await tables.delete_patients(connection, self.practice, sorted(state.gone))
        if changed:
            today = batch.moment.today
            documents = [rows.patient_row(patient, tx.sequence, today) for patient in changed.values()]
            await tables.save_patients(connection, self.practice, documents, self._keyring)
        before = [one for key in (*changed, *state.gone) if (one := self._loaded.get(key)) is not None]
        await self._matching.save(connection, before, changed.values())
        await self._days.save(connection, before, changed.values())
        if state.recharted:
            await tables.save_charts(connection, self.practice, {chart: state.charts[chart] for chart in state.recharted})
        if batch.relinked:
            pairs = rows.link_rows(one for one in changed.values() if one.key in batch.relinked)
            await tables.replace_links(connection, self.practice, pairs, unlinked=batch.unlinked)
        open_ = {key: rows.open_rows(one, self._loaded.get(key)) for key, one in changed.items()}
        open_ |= dict.fromkeys(state.gone, still_open.OpenRows())
        if state.directory_changed:
            directory = state.directory
            encoded = encode_directory(directory)
            await tables.save_directory(connection, self.practice, tx.sequence, encoded, self._keyring)
            open_[PRACTICE] = rows.open_rows(directory, self._directory)
        await still_open.replace_open(connection, self.practice, open_, batch.moment.now)
        if batch.everybody or any(isinstance(event.body, WentLive) for event in batch.events):
            await still_open.mark_all_for_revisit(connection, self.practice, batch.moment.today)
        if batch.dependencies:
            await still_open.mark_for_revisit(connection, self.practice, sorted(batch.dependencies), batch.moment.today)

    async def note(
        self,
        tx: Transaction,
        changes: Sequence[Change],
        checkpoints: Sequence[Checkpoint],
        batch: Batch,
        unobserved: Iterable[Event],
    ) -> None:
        """What connectors compare with next time, and how far they have come. A record in doubt compares with nothing, nor
        does one of a patient who was kept out and is let in again.

        `changes` are the changes told for the first time: a repeated change settles no doubt. `unobserved` are the events that no
        connector told. What a sink saw of a patient of the billing side outdates the list row compared last: the next list may show again what it
        showed before.
        """
        in_doubt = batch.in_doubt
        notes = [note for change in changes for note in change.notes]
        notes = [
            msgspec.structs.replace(one, content_hash="") if (one.resource, one.record) in in_doubt else one for one in notes
        ]
        notes += [note for one in sorted(batch.let_in, key=encode_body) for note in _forgotten(one)]
        notes += _understood(batch)
        seen = {patient for one in unobserved if (patient := _seen_in_billing(one)) is not None}
        notes += [
            Note(system=System.BILLING, resource=row_of("patients"), record=str(one), content_hash="")
            for one in sorted(seen)
        ]
        notes = [
            msgspec.structs.replace(one, content_hash=hashed(self._keyring, self.practice, one.content_hash))
            for one in notes
        ]
        if notes:
            await observed.save_observed(tx.connection, self.practice, notes)
        for checkpoint in checkpoints:
            await observed.set_checkpoint(tx.connection, self.practice, checkpoint.source, checkpoint.value)


def _person(patient: Patient) -> Normal:
    (one,) = charts_in([patient]).values()
    return one


def _alike(one: Normal, charts: Iterable[int], state: PracticeState, system: System) -> dict[int, Normal]:
    """Those of the charts that look like `one`, by id, each with its person."""
    found: dict[int, Normal] = {}
    for chart in charts:
        key = state.key_in(chart, ehr=system is System.EHR)
        other = charts_in([state.patients[key]]).get((system, chart)) if key in state.patients else None
        if other is not None and pair_of(one, other, state.frequencies) is not None:
            found[chart] = other
    return found


def _understood(batch: Batch) -> list[Note]:
    """The records that wait no longer because they could be read: set aside once more as they were, they are news again."""
    ended = [one.body.slot for one in batch.events if isinstance(one.body, WaitingCleared) and one.body.how == UNDERSTOOD]
    read = [one for slot in ended if slot not in batch.state.directory.waiting and (one := set_aside_in(slot)) is not None]
    return [
        Note(system=System(one.system), resource=aside_of(one.resource), record=one.record, content_hash="") for one in read
    ]


def _forgotten(one: RecordLeftUnread) -> list[Note]:
    """The record, and the list row that stands for it, as if nobody had compared them yet."""
    note = Note(system=one.system, resource=one.resource, record=one.record, content_hash="", parent=str(one.chart))
    row = msgspec.structs.replace(note, resource=row_of(one.resource), parent="")
    return [note, row] if one.system is System.BILLING else [note]


def _seen_in_billing(event: Event) -> BillingPatientId | None:
    match event.body:
        case BillingChartObserved(chart=chart) | IntentSucceeded(result=BillingChartWritten(chart=chart)):
            return chart.id
    return None


def _charts_of(event: Event) -> tuple[set[EhrChartId], set[BillingPatientId]]:
    """All charts that an event is about: the patients to load for it."""
    charts = {event.ehr} if event.ehr is not None else set()
    patients = {event.billing} if event.billing is not None else set()
    match event.body:
        case ChartLinked():
            charts.add(event.body.ehr)
        case LinkMoved():
            charts |= {event.body.source, event.body.target}
        case MoveLinkRequested() | BillingLinkMoved():
            patients |= {event.body.source, event.body.target}
    return charts, patients
