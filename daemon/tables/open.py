"""What is open and what waits, as lists beside the documents; and which patients are to be looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from daemon.tables.queries import SQL
from events.connection import Connection
from events.ids import IntentId, PatientKey, PracticeId
from events.writes import System


class IntentRow(msgspec.Struct, frozen=True, kw_only=True):
    intent: IntentId
    slot: str
    system: System
    state: str
    since: datetime | None = None
    patient_key: str = ""


class WaitingRow(msgspec.Struct, frozen=True, kw_only=True):
    slot: str
    code: str
    since: datetime | None = None


class OpenRows(NamedTuple):
    """What is open of one patient, or of the practice; None where it is as it was. `depends_on` comes with `waiting`."""

    intents: Sequence[IntentRow] | None = ()
    waiting: Sequence[WaitingRow] | None = ()
    depends_on: Sequence[str] = ()


async def replace_open(
    connection: Connection, practice: PracticeId, open_: Mapping[PatientKey, OpenRows], now: datetime
) -> None:
    """Make what is open and what waits of these patients (or, under "", of the practice) exactly this."""
    with_intents = [key for key, each in open_.items() if each.intents is not None]
    with_waiting = [key for key, each in open_.items() if each.waiting is not None]
    if not with_intents and not with_waiting:
        return
    await connection.execute(SQL["clear_open"], practice, with_intents, with_waiting)
    intents = [(key, one) for key, each in open_.items() for one in each.intents or ()]
    if intents:
        await connection.execute(
            SQL["save_open_intents"],
            practice,
            [key for key, _ in intents],
            [one.slot for _, one in intents],
            [one.intent for _, one in intents],
            [one.system.value for _, one in intents],
            [one.state for _, one in intents],
            [one.since for _, one in intents],
        )
    waiting = [(key, one) for key, each in open_.items() for one in each.waiting or ()]
    if waiting:
        await connection.execute(
            SQL["save_waiting"],
            practice,
            [key for key, _ in waiting],
            [one.slot for _, one in waiting],
            [one.code for _, one in waiting],
            [one.since or now for _, one in waiting],
        )
    depends = [(on, key) for key, each in open_.items() for on in each.depends_on]
    if depends:
        await connection.execute(SQL["save_dependencies"], practice, [on for on, _ in depends], [key for _, key in depends])


async def list_open_intents(connection: Connection, practice: PracticeId) -> list[IntentRow]:
    rows = await connection.fetch(SQL["list_open_intents"], practice)
    return [msgspec.convert(dict(row), IntentRow) for row in rows]


async def open_in_slot(
    connection: Connection, practice: PracticeId, keys: Iterable[PatientKey], slot: str
) -> list[PatientKey]:
    """Those of these patients that have an open intent in this slot, or an item that waits."""
    rows = await connection.fetch(SQL["open_in_slot"], practice, sorted(keys), slot)
    return [PatientKey(row["patient_key"]) for row in rows]


async def holder_of_intent(connection: Connection, practice: PracticeId, intent: str) -> PatientKey | None:
    """The patient that has this open intent; None where it is open no more."""
    key = await connection.fetchval(SQL["holder_of_intent"], practice, intent)
    return None if key is None else PatientKey(key)


async def waiting_patients(connection: Connection, practice: PracticeId, code: str | None = None) -> list[PatientKey]:
    """Patients for whom anything (of this code) waits."""
    return [PatientKey(row["patient_key"]) for row in await connection.fetch(SQL["waiting_patients"], practice, code)]


async def mark_for_revisit(connection: Connection, practice: PracticeId, depends_on: Sequence[str], today: date) -> None:
    """Patients that wait for any of these are due to be looked at again; this survives a crash."""
    await connection.execute(SQL["mark_for_revisit"], practice, list(depends_on), today)


async def mark_all_for_revisit(connection: Connection, practice: PracticeId, today: date) -> None:
    """Every patient is due to be looked at once; this survives a crash."""
    await connection.execute(SQL["mark_all_for_revisit"], practice, today)


async def count_to_revisit(connection: Connection, practice: PracticeId, today: date) -> int:
    """How many patients are due to be looked at again."""
    return int(await connection.fetchval(SQL["count_to_revisit"], practice, today))


async def patients_to_revisit(connection: Connection, practice: PracticeId, today: date, most: int) -> list[PatientKey]:
    rows = await connection.fetch(SQL["patients_to_revisit"], practice, today, most)
    return [PatientKey(row["patient_key"]) for row in rows]
