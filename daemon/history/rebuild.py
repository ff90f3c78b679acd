"""Rebuilding a practice's projections from its events while its owner goes on recording, with an atomic switch.

Everything is folded and sealed beside the stored projections first. Then, in one transaction that holds the practice's head
row (as every recording does, so the owner waits for it; the epoch stays, so it is not fenced), what was recorded meanwhile
is folded too and all rows are replaced. `rebuilt` in the head row tells the owner to forget what it keeps in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from daemon.history.compare import Progress, Replay, expected_lists, fold, replayed, stored_rows, untold
from daemon.history.events_of import SQL
from daemon.tables import documents as tables
from daemon.tables import rows
from events.codec import Keyring
from events.ids import PRACTICE, PatientKey
from events.store import Store
from projections.deciding.settle import Moment
from projections.state.open_intents import dependencies
from projections.state.patient import Patient
from projections.terms.policy import Policy

COLUMNS = {
    "chart": ("elation_chart", "patient_key"),
    "link": ("elation_chart", "kareo_patient"),
    "open_intent": ("patient_key", "slot", "intent", "system", "state", "since"),
    "waiting": ("patient_key", "slot", "code", "since"),
    "dependency": ("depends_on", "patient_key"),
}

Sealed = tuple[int, date | None, str, bytes]
"""The columns sequence, revisit_on, key_id and doc."""


class _Documents:
    """Sealed documents by patient; only those that a later event touched are sealed again."""

    def __init__(self, replay: Replay, policy: Policy, keyring: Keyring, today: date) -> None:
        self._replay = replay
        self._keyring = keyring
        self._zone = ZoneInfo(policy.time_zone)
        self._today = today
        self._sealed: dict[PatientKey, tuple[int, Sealed]] = {}

    def refresh(self) -> dict[PatientKey, Sealed]:
        touched, patients = self._replay.touched, self._replay.state.patients
        for key in self._sealed.keys() - patients.keys():
            del self._sealed[key]
        for key, patient in patients.items():
            known = self._sealed.get(key)
            if known is None or known[0] != touched[key]:
                self._sealed[key] = (touched[key], self._seal(patient))
        return {key: sealed for key, (_, sealed) in self._sealed.items()}

    def _seal(self, patient: Patient) -> Sealed:
        """As the recorder would; who waits for something is due at once, whatever was marked before."""
        row = rows.patient_row(patient, self._replay.touched[patient.key], self._today)
        depends = dependencies(patient.waiting, patient.dismissed)
        key_id, doc = self._keyring.seal(
            self._replay.practice, tables.document_identity(self._replay.practice, row.key), row.doc
        )
        return row.sequence, self._today if depends else row.revisit_on, key_id, doc


async def rebuild(store: Store, policy: Policy, now: datetime, *, progress: Progress = untold) -> Replay:
    """Replace all projections of a practice by what its events say. Raises UnreadableEvent, KeyMissing, ValueError."""
    replay = await replayed(store, policy.practice, progress=progress)
    today = Moment.at(now, policy.time_zone).today
    documents = _Documents(replay, policy, store.keyring, today)
    documents.refresh()
    async with store.pool.acquire() as connection, connection.transaction():
        head = await connection.fetchval(SQL["lock_head"], policy.practice)
        batches = stored_rows(connection, policy.practice, after=replay.sequence, up_to=head or 0)
        await fold(replay, batches, store.keyring, progress=progress)
        due = await tables.count_to_revisit(connection, policy.practice, today)
        await _replace(connection, replay, documents.refresh(), store.keyring)
        if due:  # perhaps a practice that is going live: no event says who has been looked at
            await tables.mark_all_for_revisit(connection, policy.practice, today)
        await connection.execute(SQL["mark_rebuilt"], policy.practice)
    return replay


async def _replace(connection: Any, replay: Replay, documents: dict[PatientKey, Sealed], keyring: Keyring) -> None:
    practice = replay.practice
    for table in ("patient", "directory", *COLUMNS):
        await connection.execute(f"DELETE FROM chartwire.{table} WHERE practice = $1", practice)  # noqa: S608
    columns = ("patient_key", "sequence", "revisit_on", "key_id", "doc")
    await _copy(connection, "patient", practice, columns, ((key, *one) for key, one in documents.items()))
    if PRACTICE in replay.touched:
        encoded = rows.encode_directory(replay.state.directory)
        await tables.save_directory(connection, practice, replay.touched[PRACTICE], encoded, keyring)
    for table, expected in expected_lists(replay).items():
        await _copy(connection, table, practice, COLUMNS[table], expected)


async def _copy(
    connection: Any, table: str, practice: str, columns: tuple[str, ...], records: Iterable[tuple[object, ...]]
) -> None:
    await connection.copy_records_to_table(
        table, schema_name="chartwire", columns=("practice", *columns), records=((practice, *one) for one in records)
    )
