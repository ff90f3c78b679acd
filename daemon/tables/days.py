"""On which days a practice's patients have appointments or bills, in PostgreSQL: who looks at a day opens that day's patients alone.

A projection: what the documents say, and nothing else. A day is kept as a keyed hash of its kind and date, made with a secret of the
practice, so that the table holds no patient's data. Where an older worker has saved patients without their days, or the hashes become
others (with `chartwire migrate --finish`), the practice's owner fills the table anew in its next transaction; until then whoever looks
opens those patients as well. A row of no patient marks the hashes that the table was filled with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, timedelta

from daemon.tables.filling import FilledTable, in_batches
from daemon.tables.hashes import Hashes, hashes_of
from daemon.tables.queries import SQL
from events.calendar import shifted
from events.codec import Keyring
from events.connection import Connection
from events.ids import PatientKey, PracticeId
from projections.state.patient import BillState, Patient

APPOINTMENTS, BILLS = "appointments", "bills"
"""What a day is kept of."""

DayRow = tuple[bytes, str]
"""Hash, patient."""

NOBODY = ""
"""Whose row the mark is."""


def bill_day(entry: BillState) -> date:
    """The day that a bill is kept under: that of the service, else the UTC day on which it was first seen."""
    return entry.bill.service_day or entry.first_seen.astimezone(UTC).date()


def days_of(patient: Patient) -> Iterator[tuple[str, date]]:
    """The days of a patient by kind; those of appointments in UTC, so that a zone that changes leaves them alone.

    Appointments are those of either side's calendar. A patient kept out is in no calendar; the bills known of one still balance.
    """
    starts = [one.seen.start for one in patient.appointments.values()] + [
        one.seen.start for one in patient.bookings.values()
    ]
    for start in () if patient.out else starts:
        yield APPOINTMENTS, start.astimezone(UTC).date()
    for entry in patient.bills.values():
        yield BILLS, bill_day(entry)


def _hashed(hashes: Hashes, kind: str, day: date) -> bytes:
    return hashes.of(f"day:{kind}:{day.isoformat()}")


def _mark(hashes: Hashes) -> bytes:
    return hashes.of("days:complete")


def rows_of(patients: Iterable[Patient], hashes: Hashes) -> set[DayRow]:
    """What the table holds of a practice with these patients."""
    return {(_hashed(hashes, *one), patient.key) for patient in patients for one in set(days_of(patient))}


async def stored(connection: Connection, practice: PracticeId) -> set[DayRow]:
    """The rows as they are stored, without the mark."""
    return {(row["day"], row["patient_key"]) for row in await connection.fetch(SQL["all_days"], practice)}


async def are_complete(connection: Connection, practice: PracticeId, hashes: Hashes) -> bool:
    """Whether the table was filled with these hashes, and kept with every document since."""
    return not await connection.fetchval(SQL["any_not_dayed"], practice, _mark(hashes))


async def replace_all(connection: Connection, practice: PracticeId, rows: set[DayRow], hashes: Hashes) -> None:
    """These rows and no others, which are what the documents say."""
    await connection.execute(SQL["clear_days"], practice)
    await in_batches(connection, "save_days", practice, {*rows, (_mark(hashes), NOBODY)})
    await connection.execute(SQL["mark_dayed"], practice)


async def _fill(connection: Connection, practice: PracticeId, patients: Iterable[Patient], hashes: Hashes) -> None:
    await replace_all(connection, practice, await asyncio.to_thread(rows_of, patients, hashes), hashes)


class DayTable(FilledTable):
    """The table of one practice."""

    def __init__(self, practice: PracticeId, keyring: Keyring) -> None:
        super().__init__(practice, keyring, are_complete, _fill)

    async def save(self, connection: Connection, before: Iterable[Patient], after: Iterable[Patient]) -> None:
        """What has become of the days of patients: nothing is sent where none changed."""
        old = {(kind, day, one.key) for one in before for kind, day in days_of(one)}
        new = {(kind, day, one.key) for one in after for kind, day in days_of(one)}
        if old == new:
            return
        hashes = self._hashes()
        for query, changed in (("delete_days", old - new), ("save_days", new - old)):
            await in_batches(
                connection, query, self.practice, {(_hashed(hashes, kind, day), key) for kind, day, key in changed}
            )


async def patients_of_days(
    connection: Connection, practice: PracticeId, keyring: Keyring, kind: str, first: date, last: date
) -> list[PatientKey]:
    """Patients who may have something of this kind on these days of the practice: a day more on either side is looked at.

    A practice's day is no UTC day; who looks leaves out what is on another. Raises KeyMissing.
    """
    hashes = hashes_of(keyring, practice)
    wanted = [_hashed(hashes, kind, one) for one in _around(first, last)]
    rows = await connection.fetch(SQL["patients_of_days"], practice, wanted, _mark(hashes))
    return sorted(PatientKey(row["patient_key"]) for row in rows)


def _around(first: date, last: date) -> Collection[date]:
    start, end = shifted(first, -timedelta(days=1)), shifted(last, timedelta(days=1))
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]
