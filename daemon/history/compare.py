"""Comparing a practice's projections, folded from its events alone, with what is stored (I7).

What differs is reported with the event that made it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from daemon.history.events_of import events_of
from daemon.history.fold import OnProgress, Replay, fold, untold
from daemon.tables import days, matching, rows
from daemon.tables import documents as tables
from daemon.tables.hashes import hashes_of
from daemon.tables.queries import SQL
from events.codec import KeyMissing, Keyring, UnreadableEvent
from events.connection import Connection, Row
from events.ids import PRACTICE, PatientKey, PracticeId, billing_key
from events.records import stored_field
from events.schema import Recorded
from events.store import Store
from projections.rules.insurance import next_revisit
from projections.state.directory import decode_directory, encode_directory
from projections.state.patient import Patient, decode_patient, encode_patient
from projections.state.state import PracticeState


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


async def verify(
    store: Store, replay: Replay, today: date | None = None, *, progress: OnProgress = untold
) -> list[Difference]:
    """Fold what is left up to the head and compare with the stored projections, both as of one moment.

    The daemon may go on meanwhile: the comparison reads one snapshot of the database. With `today` it is also checked that
    nobody is looked at again too late.
    """
    async with store.snapshot() as connection:
        head = await store.head_row(replay.practice, connection)
        up_to = 0 if head is None else head.sequence
        batches = store.sealed(replay.practice, replay.sequence, up_to, connection=connection)
        await fold(replay, batches, store.keyring, progress=progress)
        found = [one async for one in _documents(connection, replay, store.keyring, today)]
        found += await _lists(connection, replay)
        found += await _matching(connection, replay, store.keyring)
        found += await _days(connection, replay, store.keyring)
    return [await _with_event(store, replay, one) for one in found]


@dataclass(frozen=True)
class _Found:
    """A difference before its event is looked for: `member` of the document and what is `stored` of it."""

    table: str
    patient: PatientKey
    what: str
    member: str = ""
    stored: object = None


async def _documents(connection: Connection, replay: Replay, keyring: Keyring, today: date | None) -> AsyncIterator[_Found]:
    practice, state = replay.practice, replay.state
    row = await tables.directory_row(connection, practice)
    if (row is not None) != (PRACTICE in replay.touched):
        yield _Found("directory", PRACTICE, "is in the projections only" if row is not None else "is in the events only")
    elif row is not None:
        found = _compare_document(practice, PRACTICE, row, encode_directory(state.directory), decode_directory, keyring)
        if found is not None:
            yield _named("directory", found)
        if not replay.touched[PRACTICE] <= row["sequence"] <= replay.sequence:
            yield _Found("directory", PRACTICE, f"says it is as of #{row['sequence']}")
    missing = set(state.patients)
    async for row in tables.stored_patients(connection, practice):
        key = PatientKey(row["patient_key"])
        missing.discard(key)
        patient = state.patients.get(key)
        if patient is None:
            yield _Found("patient", key, "is in the projections only")
            continue
        found = _compare_document(practice, key, row, encode_patient(patient), decode_patient, keyring)
        if found is not None:
            yield _named("patient", found)
        if not replay.touched[key] <= row["sequence"] <= replay.sequence:
            yield _Found("patient", key, f"says it is as of #{row['sequence']}")
        due = next_revisit(patient.billing, today) if today is not None else None
        if due is not None and (row["revisit_on"] is None or row["revisit_on"] > due):
            yield _Found("patient", key, "is to be looked at again too late", "billing")
    for key in sorted(missing):
        yield _Found("patient", key, "is in the events only")


def _named(table: str, found: _Found) -> _Found:
    return _Found(table, found.patient, found.what, found.member, found.stored)


def _compare_document(
    practice: PracticeId, key: PatientKey, row: Row, expected: bytes, decode: Callable[[bytes], Any], keyring: Keyring
) -> _Found | None:
    try:
        doc = tables.opened(practice, key, row, keyring)
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
            return _Found("", key, f"{stored_field(member)} differs", member, getattr(stored, member))
    return _Found("", key, "the stored bytes differ in form only")


async def _lists(connection: Connection, replay: Replay) -> list[_Found]:
    """The tables that list what documents hold."""
    found: list[_Found] = []
    for one in rows.LISTS:
        expected = one.rows_of(replay.state)
        stored = {tuple(row.values()): row for row in await connection.fetch(SQL[one.read], replay.practice)}
        for row in sorted(expected.keys() ^ stored.keys(), key=repr):
            key = expected[row] if row in expected else _key_of(stored[row])
            where = "events" if row in expected else "projections"
            found.append(_Found(one.table, key, f"a row is in the {where} only", one.member))
    return found


async def _matching(connection: Connection, replay: Replay, keyring: Keyring) -> list[_Found]:
    """The hashes by which charts are found; a practice whose owner has to fill them first differs in nothing."""
    if not keyring.keys_of(replay.practice):
        return []
    hashes = hashes_of(keyring, replay.practice)
    if not await matching.are_complete(connection, replay.practice, hashes):
        return []
    there = await matching.stored(connection, replay.practice)
    expected = matching.rows_of(replay.state.patients.values(), hashes)
    tables_of = (("match_key", expected.keys ^ there.keys), ("match_count", expected.counts ^ there.counts))
    return [
        _Found(table, PRACTICE, f"{len(differing)} hashes differ; replay --rebuild makes them anew")
        for table, differing in tables_of
        if differing
    ]


async def _days(connection: Connection, replay: Replay, keyring: Keyring) -> list[_Found]:
    """The days by which patients are found; a practice whose owner has to fill them first differs in nothing."""
    if not keyring.keys_of(replay.practice):
        return []
    hashes = hashes_of(keyring, replay.practice)
    if not await days.are_complete(connection, replay.practice, hashes):
        return []
    expected = days.rows_of(replay.state.patients.values(), hashes)
    differing = expected ^ await days.stored(connection, replay.practice)
    keys = sorted({PatientKey(key) for _, key in differing})
    return [_Found("patient_day", key, "its days differ; replay --rebuild makes them anew") for key in keys]


def _key_of(row: Row) -> PatientKey:
    return PatientKey(row["patient_key"]) if "patient_key" in row else billing_key(row["billing"])


# -- which event made it --------------------------------------------------------------------------------------------------


async def _with_event(store: Store, replay: Replay, found: _Found) -> Difference:
    made = await _maker(store, replay, found)
    sequence, type_ = (made.sequence, made.event.type) if made is not None else (None, "")
    return Difference(found.table, found.patient, found.what, sequence, type_)


async def _maker(store: Store, replay: Replay, found: _Found) -> Recorded | None:
    """The first event after which the folded value left the stored one; if they never agreed, the last event that changed it."""
    told = await events_of(store, replay.practice, found.patient)
    state, before = PracticeState(), None
    last: Recorded | None = None
    agreed = False
    for one in (one for one in told if one.sequence <= replay.sequence):
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


async def verify_patient(store: Store, practice: PracticeId, told: Sequence[Recorded]) -> tuple[int, list[Difference]]:
    """Fold one patient's events alone and compare the documents: (how many were compared, what differs)."""
    state = PracticeState()
    for one in told:
        state.apply(one.event, one.sequence)
    stored = await tables.load_patients(store.pool, practice, sorted(state.patients), store.keyring)
    replay = Replay(practice, state, told[-1].sequence if told else 0)
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
    return _Found("patient", key, f"{stored_field(member) or 'form'} differs", member, getattr(here, member, None))
