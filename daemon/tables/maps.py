"""Who waits for the practice's maps: a list beside the documents."""

from __future__ import annotations

from daemon.tables.queries import SQL
from events.connection import Connection
from events.ids import PatientKey, PracticeId


async def patients_waiting_for(connection: Connection, practice: PracticeId, depends_on: str, most: int) -> list[PatientKey]:
    """The patients that wait for this, at most so many."""
    rows = await connection.fetch(SQL["patients_waiting_for"], practice, depends_on, most)
    return [PatientKey(row["patient_key"]) for row in rows]


async def first_patients(connection: Connection, practice: PracticeId, most: int) -> list[PatientKey]:
    """The patients of a practice, at most so many."""
    return [PatientKey(row["patient_key"]) for row in await connection.fetch(SQL["first_patients"], practice, most)]
