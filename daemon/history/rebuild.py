"""Rebuilding a practice's projections from its events while its owner goes on recording, with an atomic switch.

Everything is folded and sealed beside the stored projections first. Then, in one transaction that holds the practice's head
row (as every recording does, so the owner waits for it; the epoch stays, so it is not fenced), what was recorded meanwhile
is folded too and all rows are replaced. `rebuilt` in the head row tells the owner to forget what it keeps in memory.
"""

from __future__ import annotations

from datetime import date, datetime

from daemon.history.fold import OnProgress, Replay, fold, replayed, untold
from daemon.tables import days, history_terms, matching, rows
from daemon.tables import documents as tables
from daemon.tables import open as still_open
from daemon.tables.hashes import hashes_of
from daemon.tables.queries import SQL
from events.codec import Keyring
from events.connection import Connection
from events.ids import PRACTICE, PatientKey
from events.store import Store
from projections.rules.wants import Moment
from projections.state.directory import encode_directory
from projections.state.open_intents import dependencies
from projections.state.patient import Patient
from projections.terms.policy import Policy

SealedEvent = tuple[int, date | None, str, bytes]
"""The columns sequence, revisit_on, key_id and doc."""


class _Documents:
    """Sealed documents by patient; only those that a later event touched are sealed again."""

    def __init__(self, replay: Replay, keyring: Keyring, today: date) -> None:
        self._replay = replay
        self._keyring = keyring
        self._today = today
        self._sealed: dict[PatientKey, tuple[int, SealedEvent]] = {}

    def refresh(self) -> dict[PatientKey, SealedEvent]:
        touched, patients = self._replay.touched, self._replay.state.patients
        for key in self._sealed.keys() - patients.keys():
            del self._sealed[key]
        for key, patient in patients.items():
            known = self._sealed.get(key)
            if known is None or known[0] != touched[key]:
                self._sealed[key] = (touched[key], self._seal(patient))
        return {key: sealed for key, (_, sealed) in self._sealed.items()}

    def _seal(self, patient: Patient) -> SealedEvent:
        """As the recorder would; who waits for something is due at once, whatever was marked before."""
        row = rows.patient_row(patient, self._replay.touched[patient.key], self._today)
        depends = dependencies(patient.waiting, patient.dismissed)
        key_id, doc = self._keyring.seal(
            self._replay.practice, tables.document_identity(self._replay.practice, row.key), row.doc
        )
        return row.sequence, self._today if depends else row.revisit_on, key_id, doc


async def rebuild(store: Store, policy: Policy, now: datetime, *, progress: OnProgress = untold) -> Replay:
    """Replace all projections of a practice by what its events say. Raises UnreadableEvent, KeyMissing, ValueError."""
    replay = await replayed(store, policy.practice, progress=progress)
    today = Moment.at(now, policy.time_zone).today
    documents = _Documents(replay, store.keyring, today)
    documents.refresh()
    async with store.rebuilding(policy.practice) as (connection, head):
        batches = store.sealed(policy.practice, replay.sequence, head, connection=connection)
        await fold(replay, batches, store.keyring, progress=progress)
        due = await still_open.count_to_revisit(connection, policy.practice, today)
        await _replace(connection, replay, documents.refresh(), store.keyring)
        if due:  # perhaps a practice that is going live: no event says who has been looked at
            await still_open.mark_all_for_revisit(connection, policy.practice, today)
    return replay


async def _replace(
    connection: Connection, replay: Replay, documents: dict[PatientKey, SealedEvent], keyring: Keyring
) -> None:
    practice = replay.practice
    for clear in ("clear_patients", "clear_directory", *(one.clear for one in rows.LISTS)):
        await connection.execute(SQL[clear], practice)
    await connection.copy_records_to_table(
        "patient",
        schema_name="chartwire",
        columns=("practice", "patient_key", "sequence", "revisit_on", "key_id", "doc", "matched", "dayed"),
        records=((practice, key, *one, one[0], one[0]) for key, one in documents.items()),
    )
    if PRACTICE in replay.touched:
        encoded = encode_directory(replay.state.directory)
        await tables.save_directory(connection, practice, replay.touched[PRACTICE], encoded, keyring)
    hashes = hashes_of(keyring, practice)
    await matching.replace_all(connection, practice, matching.rows_of(replay.state.patients.values(), hashes))
    await days.replace_all(connection, practice, days.rows_of(replay.state.patients.values(), hashes), hashes)
    await history_terms.clear(connection, practice)  # filled anew beside the recording
    for one in rows.LISTS:
        if found := one.rows_of(replay.state):
            await connection.execute(SQL[one.save], practice, *map(list, zip(*found, strict=True)))
