"""Folding a practice's projections from its events alone, and comparing them with what is stored (I7).

Memory is bounded by the projections, not by the events: they stream through. What differs is reported with the event that
made it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from daemon.history.events_of import SQL, ids_of, patient_events, practice_events
from daemon.tables import documents as tables
from daemon.tables import rows
from events.codec import KeyMissing, Keyring, UnreadableEvent
from events.ids import PRACTICE, BillingPatientId, PatientKey, PracticeId, billing_key, charts_of
from events.schema import Recorded
from events.store import SQL as STORE
from events.store import Store, open_row
from projections.rules.insurance import next_expiry
from projections.state.open_intents import dependencies
from projections.state.patient import Patient, decode_patient, encode_patient
from projections.state.state import PracticeState
from projections.words.moment import AsOf, is_past

BATCH = 2000

Rows = AsyncGenerator[Sequence[Mapping[str, Any]], None]
"""Stored events, sealed: mappings by column, in batches."""

Progress = Callable[[int], None]
"""Told the sequence that a long run has come to."""


def untold(_sequence: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Difference:
    """What is stored and what the events say differ: in which table, about whom, how, and the event that made it."""

    table: str
    patient: PatientKey
    what: str
    sequence: int | None = None
    type: str = ""

    def __str__(self) -> str:
        made = f"; made by event #{self.sequence} {self.type}" if self.sequence is not None else "; made by no event"
        return f"{self.table} {self.patient or 'of the practice'}: {self.what}{made}"


@dataclass
class Replay:
    """The projections of one practice as of `sequence`; `touched` is each patient's last event, "" the directory's."""

    practice: PracticeId
    state: PracticeState = field(default_factory=PracticeState)
    sequence: int = 0
    recorded: datetime | None = None
    touched: dict[PatientKey, int] = field(default_factory=dict)

    def take(self, one: Recorded) -> None:
        """Fold the next event. Raises ValueError where the practice's sequence has a gap."""
        if one.sequence != self.sequence + 1:
            raise ValueError(f"event #{one.sequence} follows #{self.sequence}: an event is missing")
        state = self.state
        state.apply(one.event, one.sequence)
        self.sequence, self.recorded = one.sequence, one.recorded
        if not one.event.patient:
            self.touched[PRACTICE] = one.sequence
        for key in state.changed:
            self.touched[key] = one.sequence
        state.changed.clear()
        if state.gone or state.recharted:
            for key in state.gone:
                self.touched.pop(key, None)
            state.gone.clear()
            state.recharted.clear()

    def digest(self) -> str:
        """SHA-256 of all documents, links and charts: equal where the projections are."""
        total = hashlib.sha256(rows.encode_directory(self.state.directory))
        for key in sorted(self.state.patients):
            total.update(encode_patient(self.state.patients[key]))
        for chart in sorted(self.state.charts):
            total.update(f"{chart}={self.state.charts[chart]};".encode())
        return total.hexdigest()


async def fold(
    replay: Replay,
    batches: Rows,
    keyring: Keyring,
    *,
    moment: AsOf | None = None,
    progress: Progress = untold,
) -> bool:
    """Fold stored rows up to `moment`; False when an event after it was met. Raises UnreadableEvent, KeyMissing, ValueError."""
    async with aclosing(batches):
        async for batch in batches:
            for row in batch:
                recorded = open_row(row, keyring)
                if not is_past(recorded, moment):
                    return False
                replay.take(recorded)
            progress(replay.sequence)
    return True


async def stored_rows(connection: Any, practice: PracticeId, *, after: int, up_to: int) -> Rows:
    """The events of a practice as they lie in the table, in batches; `connection` may be a pool or one connection.

    While a batch is worked on the database prepares the next one, so a connection is good for nothing else until this is at
    its end or closed (`contextlib.aclosing`).
    """

    def coming() -> asyncio.Task[Any]:
        return asyncio.create_task(connection.fetch(STORE["read_sealed"], practice, after, up_to, BATCH))

    following = coming() if after < up_to else None
    try:
        while following is not None and (batch := await following):
            after = batch[-1]["sequence"]
            following = coming() if after < up_to else None
            await asyncio.sleep(0)  # the request goes out
            yield batch
    finally:
        if following is not None:
            await asyncio.gather(following, return_exceptions=True)


async def replayed(store: Store, practice: PracticeId, *, moment: AsOf | None = None, progress: Progress = untold) -> Replay:
    """The projections of a practice from its events, up to `moment` or to the head as it is now."""
    replay = Replay(practice)
    batches = stored_rows(store.pool, practice, after=0, up_to=await store.head(practice))
    await fold(replay, batches, store.keyring, moment=moment, progress=progress)
    return replay


async def verify(
    store: Store, replay: Replay, today: date | None = None, *, progress: Progress = untold
) -> list[Difference]:
    """Fold what is left up to the head and compare with the stored projections, both as of one moment.

    The daemon may go on meanwhile: the comparison reads one snapshot of the database. With `today` it is also checked that
    nobody is looked at again too late.
    """
    async with store.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        head = await connection.fetchrow(SQL["head"], replay.practice)
        up_to = head["sequence"] if head else 0
        batches = stored_rows(connection, replay.practice, after=replay.sequence, up_to=up_to)
        await fold(replay, batches, store.keyring, progress=progress)
        found = [one async for one in _documents(connection, replay, store.keyring, today)]
        found += await _lists(connection, replay)
    return [await _with_event(store, replay, one) for one in found]


@dataclass(frozen=True)
class _Found:
    """A difference before its event is looked for: `member` of the document and what is `stored` of it."""

    table: str
    patient: PatientKey
    what: str
    member: str = ""
    stored: object = None


async def _documents(connection: Any, replay: Replay, keyring: Keyring, today: date | None) -> AsyncIterator[_Found]:
    practice, state = replay.practice, replay.state
    row = await connection.fetchrow(SQL["directory"], practice)
    if (row is not None) != (PRACTICE in replay.touched):
        yield _Found("directory", PRACTICE, "is in the projections only" if row is not None else "is in the events only")
    elif row is not None:
        found = _compare_document(practice, row, rows.encode_directory(state.directory), rows.decode_directory, keyring)
        if found is not None:
            yield _named("directory", found)
        if not replay.touched[PRACTICE] <= row["sequence"] <= replay.sequence:
            yield _Found("directory", PRACTICE, f"says it is as of #{row['sequence']}")
    missing = set(state.patients)
    async for row in connection.cursor(SQL["patients"], practice, prefetch=500):
        key = PatientKey(row["patient_key"])
        missing.discard(key)
        patient = state.patients.get(key)
        if patient is None:
            yield _Found("patient", key, "is in the projections only")
            continue
        found = _compare_document(practice, row, encode_patient(patient), decode_patient, keyring)
        if found is not None:
            yield _named("patient", found)
        if not replay.touched[key] <= row["sequence"] <= replay.sequence:
            yield _Found("patient", key, f"says it is as of #{row['sequence']}")
        due = next_expiry(patient.billing, today) if today is not None else None
        if due is not None and (row["revisit_on"] is None or row["revisit_on"] > due):
            yield _Found("patient", key, "is to be looked at again too late", "kareo")
    for key in sorted(missing):
        yield _Found("patient", key, "is in the events only")


def _named(table: str, found: _Found) -> _Found:
    return _Found(table, found.patient, found.what, found.member, found.stored)


def _compare_document(
    practice: PracticeId, row: Mapping[str, Any], expected: bytes, decode: Callable[[bytes], Any], keyring: Keyring
) -> _Found | None:
    key = PatientKey(row["patient_key"])
    try:
        doc = keyring.open_sealed(row["key_id"], tables.document_identity(practice, key), row["doc"])
    except (UnreadableEvent, KeyMissing):
        return _Found("", key, "the stored document cannot be decrypted")
    if doc == expected:
        return None
    try:
        stored = decode(doc)
    except msgspec.MsgspecError:
        return _Found("", key, "the stored document does not decode")
    folded = decode(expected)
    for member in stored.__struct_fields__:
        if getattr(stored, member) != getattr(folded, member):
            return _Found("", key, f"{member} differs", member, getattr(stored, member))
    return _Found("", key, "the stored bytes differ in form only")


async def _lists(connection: Any, replay: Replay) -> list[_Found]:
    """The tables that list what documents hold."""
    found: list[_Found] = []
    for table, expected in expected_lists(replay).items():
        member = {"chart": "elation", "link": "link", "open_intent": "intents"}.get(table, "waiting")
        stored = {tuple(row.values()): row for row in await connection.fetch(SQL[table], replay.practice)}
        wrong = sorted((row for row in expected.keys() ^ stored.keys()), key=repr)
        for row in wrong:
            key = expected[row] if row in expected else _key_of(table, stored[row])
            where = "events" if row in expected else "projections"
            found.append(_Found(table, key, f"a row is in the {where} only", member))
    return found


def expected_lists(replay: Replay) -> dict[str, dict[tuple[object, ...], PatientKey]]:
    """The rows of every list table as the events say, each with its patient; columns as the queries name them."""
    state = replay.state
    holders: Iterable[tuple[PatientKey, Any]] = [*state.patients.items(), (PRACTICE, state.directory)]
    result: dict[str, dict[tuple[object, ...], PatientKey]] = {
        "chart": {(int(chart), key): key for chart, key in state.charts.items()},
        "link": {pair: billing_key(BillingPatientId(pair[1])) for pair in rows.link_rows(state.patients.values())},
        "open_intent": {},
        "waiting": {},
        "dependency": {},
    }
    for key, holder in holders:
        for intent in rows.intent_rows(holder.intents):
            row = (key, intent.slot, intent.intent, intent.system.value, intent.state, intent.since)
            result["open_intent"][row] = key
        for waiting in rows.waiting_rows(holder.waiting):
            result["waiting"][key, waiting.slot, waiting.code, waiting.since] = key
        result["dependency"] |= {(on, key): key for on in dependencies(holder.waiting, holder.dismissed)}
    return result


def _key_of(table: str, row: Mapping[str, Any]) -> PatientKey:
    return billing_key(row["kareo_patient"]) if table == "link" else PatientKey(row["patient_key"])


# -- which event made it --------------------------------------------------------------------------------------------------


async def _with_event(store: Store, replay: Replay, found: _Found) -> Difference:
    made = await _maker(store, replay, found)
    sequence, type_ = (made.sequence, made.event.type) if made is not None else (None, "")
    return Difference(found.table, found.patient, found.what, sequence, type_)


async def _maker(store: Store, replay: Replay, found: _Found) -> Recorded | None:
    """The event after which the events' value was not the stored one any more; where it never was, the last to change it."""
    if found.patient:
        ehr, billing = ids_of(charts_of(found.patient))
        story = await patient_events(store, replay.practice, ehr, billing)
    else:
        story = [one async for one in practice_events(store, replay.practice, up_to=replay.sequence)]
    state, before = PracticeState(), None
    last: Recorded | None = None
    agreed = False
    for one in (one for one in story if one.sequence <= replay.sequence):
        state.apply(one.event, one.sequence)
        holder: object = state.patients.get(found.patient) if found.patient else state.directory
        value = getattr(holder, found.member, None) if found.member else holder
        if value == before:
            continue
        if not agreed or before == found.stored:
            last = one
        agreed = agreed or (value == found.stored and bool(found.member))
        before = value
    return last


# -- one patient ----------------------------------------------------------------------------------------------------------


async def verify_patient(store: Store, practice: PracticeId, story: Sequence[Recorded]) -> tuple[int, list[Difference]]:
    """Fold one patient's events alone and compare the documents: (how many were compared, what differs)."""
    state = PracticeState()
    for one in story:
        state.apply(one.event, one.sequence)
    stored = await tables.load_patients(store.pool, practice, sorted(state.patients), store.keyring)
    replay = Replay(practice, state, story[-1].sequence if story else 0)
    found: list[Difference] = []
    for key, patient in sorted(state.patients.items()):
        expected = encode_patient(patient)
        if key not in stored:
            found.append(await _with_event(store, replay, _Found("patient", key, "is in the events only")))
        elif stored[key][1] != expected:
            difference = _differing(key, stored[key][1], expected)
            found.append(await _with_event(store, replay, difference))
    return len(state.patients), found


def _differing(key: PatientKey, stored: bytes, expected: bytes) -> _Found:
    here: Patient = decode_patient(stored)
    there: Patient = decode_patient(expected)
    member = next((one for one in here.__struct_fields__ if getattr(here, one) != getattr(there, one)), "")
    return _Found("patient", key, f"{member or 'form'} differs", member, getattr(here, member, None))


def today_in(zone: str, now: datetime) -> date:
    return now.astimezone(ZoneInfo(zone)).date()
