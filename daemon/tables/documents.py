"""The projection tables in PostgreSQL, and what connectors compare with. Documents are sealed with the practice's key.

Functions take a connection (inside the recorder's transaction) or a pool (for looking); queries are in `events/sql/tables.sql`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from daemon.runtime.reporter import PracticeStatus, Report
from events import queries
from events.codec import Keyring
from events.ids import IntentId, PatientKey, PracticeId
from events.topics import Note
from events.writes import System

SQL = queries.load("tables")


class LinkTaken(Exception):
    """A chart would get a second link: refused by the database, nothing of the transaction happens (I1)."""


class PatientRow(msgspec.Struct, frozen=True, kw_only=True):
    key: PatientKey
    sequence: int
    doc: bytes
    revisit_on: date | None = None


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


class ObservedRow(msgspec.Struct, frozen=True, kw_only=True):
    content_hash: str
    revision: int
    parent: str


# -- documents ------------------------------------------------------------------------------------------------------------


def document_identity(practice: PracticeId, key: str) -> bytes:
    """What a stored document is bound to; the key "" is the directory's."""
    return f"patient|{practice}|{key}".encode()


async def load_patients(
    connection: Any, practice: PracticeId, keys: Collection[PatientKey], keyring: Keyring
) -> dict[PatientKey, tuple[int, bytes]]:
    """The stored documents by key: (sequence folded up to, document)."""
    rows = await connection.fetch(SQL["load_patients"], practice, list(keys))
    return {PatientKey(row["patient_key"]): _opened(practice, row, keyring) for row in rows}


async def read_patients(
    connection: Any, practice: PracticeId, keyring: Keyring, *, batch: int = 500
) -> dict[PatientKey, tuple[int, bytes]]:
    """All stored documents of a practice."""
    found: dict[PatientKey, tuple[int, bytes]] = {}
    after = ""
    while rows := await connection.fetch(SQL["read_patients"], practice, after, batch):
        found |= {PatientKey(row["patient_key"]): _opened(practice, row, keyring) for row in rows}
        after = rows[-1]["patient_key"]
    return found


def _opened(practice: PracticeId, row: Any, keyring: Keyring) -> tuple[int, bytes]:
    return row["sequence"], keyring.open_sealed(row["key_id"], document_identity(practice, row["patient_key"]), row["doc"])


async def save_patients(connection: Any, practice: PracticeId, rows: Sequence[PatientRow], keyring: Keyring) -> None:
    sealed = [keyring.seal(practice, document_identity(practice, row.key), row.doc) for row in rows]
    await connection.execute(
        SQL["save_patients"],
        practice,
        [row.key for row in rows],
        [row.sequence for row in rows],
        [row.revisit_on for row in rows],
        [key_id for key_id, _ in sealed],
        [doc for _, doc in sealed],
    )


async def delete_patients(connection: Any, practice: PracticeId, keys: Sequence[PatientKey]) -> None:
    """Documents that were absorbed by others."""
    await connection.execute(SQL["delete_patients"], practice, list(keys))


async def load_directory(connection: Any, practice: PracticeId, keyring: Keyring) -> bytes | None:
    row = await connection.fetchrow(SQL["load_directory"], practice)
    return None if row is None else keyring.open_sealed(row["key_id"], document_identity(practice, ""), row["doc"])


async def save_directory(connection: Any, practice: PracticeId, sequence: int, doc: bytes, keyring: Keyring) -> None:
    key_id, sealed = keyring.seal(practice, document_identity(practice, ""), doc)
    await connection.execute(SQL["save_directory"], practice, sequence, key_id, sealed)


# -- charts and links -------------------------------------------------------------------------------------------------------


async def resolve_charts(connection: Any, practice: PracticeId, charts: Collection[int]) -> dict[int, PatientKey]:
    """Which patient each Elation chart belongs to; charts never seen are absent."""
    if not charts:
        return {}
    rows = await connection.fetch(SQL["resolve_charts"], practice, list(charts))
    return {row["elation_chart"]: PatientKey(row["patient_key"]) for row in rows}


async def save_charts(connection: Any, practice: PracticeId, charts: Mapping[Any, PatientKey]) -> None:
    await connection.execute(SQL["save_charts"], practice, list(charts), list(charts.values()))


async def replace_links(
    connection: Any, practice: PracticeId, pairs: Sequence[tuple[int, int]], *, unlinked: Collection[int] = ()
) -> None:
    """Give each Kareo patient of `pairs` (elation, kareo) its one link, and those `unlinked` none. Raises LinkTaken."""
    ehr, billing = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    await connection.execute(SQL["delete_links"], practice, [*billing, *unlinked])
    try:
        await connection.execute(SQL["save_links"], practice, ehr, billing)
    except asyncpg.UniqueViolationError:
        raise LinkTaken("an Elation chart has a link already") from None


async def links(connection: Any, practice: PracticeId) -> list[tuple[int, int]]:
    """All links of a practice: (elation, kareo)."""
    return [(row["elation_chart"], row["kareo_patient"]) for row in await connection.fetch(SQL["links"], practice)]


# -- what is open and what waits ------------------------------------------------------------------------------------------


class OpenRows(NamedTuple):
    """What is open of one patient, or of the practice; None where it is as it was. `depends_on` comes with `waiting`."""

    intents: Sequence[IntentRow] | None = ()
    waiting: Sequence[WaitingRow] | None = ()
    depends_on: Sequence[str] = ()


async def replace_open(connection: Any, practice: PracticeId, open_: Mapping[PatientKey, OpenRows], now: datetime) -> None:
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


async def list_open_intents(connection: Any, practice: PracticeId) -> list[IntentRow]:
    rows = await connection.fetch(SQL["list_open_intents"], practice)
    return [msgspec.convert(dict(row), IntentRow) for row in rows]


async def waiting_patients(connection: Any, practice: PracticeId, code: str | None = None) -> list[PatientKey]:
    """Patients for whom anything (of this code) waits."""
    return [PatientKey(row["patient_key"]) for row in await connection.fetch(SQL["waiting_patients"], practice, code)]


async def mark_for_revisit(connection: Any, practice: PracticeId, depends_on: Sequence[str], today: date) -> None:
    """Patients that wait for any of these are due to be looked at again; this survives a crash."""
    await connection.execute(SQL["mark_for_revisit"], practice, list(depends_on), today)


async def mark_all_for_revisit(connection: Any, practice: PracticeId, today: date) -> None:
    """Every patient is due to be looked at once; this survives a crash."""
    await connection.execute(SQL["mark_all_for_revisit"], practice, today)


async def count_to_revisit(connection: Any, practice: PracticeId, today: date) -> int:
    """How many patients are due to be looked at again."""
    return int(await connection.fetchval(SQL["count_to_revisit"], practice, today))


async def patients_to_revisit(connection: Any, practice: PracticeId, today: date, most: int) -> list[PatientKey]:
    rows = await connection.fetch(SQL["patients_to_revisit"], practice, today, most)
    return [PatientKey(row["patient_key"]) for row in rows]


# -- what connectors compare with ---------------------------------------------------------------------------------------------


async def lookup_observed(
    connection: Any, practice: PracticeId, system: System, records: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], ObservedRow]:
    """What was recorded of these (resource, record) pairs last."""
    rows = await connection.fetch(
        SQL["lookup_observed"],
        practice,
        system.value,
        [resource for resource, _ in records],
        [record for _, record in records],
    )
    return {
        (row["resource"], row["record"]): ObservedRow(
            content_hash=row["content_hash"], revision=row["revision"], parent=row["parent"]
        )
        for row in rows
    }


async def observed_records(
    connection: Any, practice: PracticeId, system: System, resource: str
) -> list[tuple[str, str, str]]:
    """All recorded records of a resource: (record, content hash, parent)."""
    rows = await connection.fetch(SQL["observed_records"], practice, system.value, resource)
    return [(row["record"], row["content_hash"], row["parent"]) for row in rows]


async def save_observed(connection: Any, practice: PracticeId, notes: Iterable[Note]) -> None:
    """Keep the notes; of several about one record the last."""
    last = {(note.system, note.resource, note.record): note for note in notes}
    if last:
        await connection.execute(
            SQL["save_observed"],
            practice,
            [note.system.value for note in last.values()],
            [note.resource for note in last.values()],
            [note.record for note in last.values()],
            [note.content_hash for note in last.values()],
            [note.parent for note in last.values()],
        )


async def get_checkpoint(connection: Any, practice: PracticeId, source: str) -> str | None:
    value: str | None = await connection.fetchval(SQL["get_checkpoint"], practice, source)
    return value


async def set_checkpoint(connection: Any, practice: PracticeId, source: str, value: str) -> None:
    await connection.execute(SQL["set_checkpoint"], practice, source, value)


class Subscriptions:
    """The webhook subscriptions of a practice, with the key each delivery is checked by."""

    def __init__(self, pool: Any, practice: PracticeId) -> None:
        self._pool = pool
        self._practice = practice

    async def get(self) -> dict[str, tuple[int, str]]:
        """By resource: (subscription id, signing key)."""
        rows = await self._pool.fetch(SQL["get_subscriptions"], self._practice)
        return {row["resource"]: (row["subscription"], row["signing_key"]) for row in rows}

    async def put(self, resource: str, subscription: int, target: str, key: str) -> None:
        await self._pool.execute(SQL["put_subscription"], self._practice, resource, subscription, target, key)


async def save_reports(pool: Any, reports: Mapping[PracticeId, tuple[int, Report]]) -> None:
    """Keep what owners say of their practices (epoch, report); an older epoch's does not replace a newer one's."""
    await pool.execute(
        SQL["save_reports"],
        list(reports),
        [epoch for epoch, _ in reports.values()],
        [msgspec.json.encode(report).decode() for _, report in reports.values()],
    )


async def practice_status(pool: Any, practice: PracticeId) -> PracticeStatus:
    """What the database knows of a practice's state: all of it but the broker's lag."""
    head = await pool.fetchrow(SQL["status_head"], practice)
    if head is None:
        return PracticeStatus(practice=practice)
    intents = await pool.fetch(SQL["status_intents"], practice)
    waiting = await pool.fetch(SQL["status_waiting"], practice)
    sources = {row["source"]: row["age"] for row in await pool.fetch(SQL["status_sources"], practice)}
    fed = await get_checkpoint(pool, practice, "feed")
    return PracticeStatus(
        practice=practice,
        events=head["sequence"],
        epoch=head["epoch"],
        owner=head["owner"],
        taken_at=head["taken_at"],
        sources={name: round(age, 1) for name, age in sources.items() if name != "feed"},
        unfed=head["sequence"] - int(fed or 0),
        open_intents=tuple((row["system"], row["state"], row["count"], row["oldest"]) for row in intents),
        waiting=tuple((row["code"], row["count"]) for row in waiting),
        report=msgspec.json.decode(head["doc"], type=Report) if head["doc"] else None,
        report_age=None if head["report_age"] is None else round(head["report_age"], 1),
    )
