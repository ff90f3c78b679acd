"""The projections as documents, sealed with the practice's key; which patient a chart belongs to; and the links.

Functions take a connection (inside the recorder's transaction) or a pool (for looking).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import asyncpg
import msgspec
import structlog

from daemon.tables.queries import SQL
from events.codec import Keyring, UnreadableEvent
from events.connection import Connection, Row
from events.ids import EhrChartId, PatientKey, PracticeId
from projections.state.directory import Directory, decode_directory

log = structlog.get_logger()


class LinkTaken(Exception):
    """A chart would get a second link: refused by the database, nothing of the transaction happens (I1)."""


class PatientRow(msgspec.Struct, frozen=True, kw_only=True):
    key: PatientKey
    sequence: int
    doc: bytes
    revisit_on: date | None = None


# -- documents ------------------------------------------------------------------------------------------------------------


def document_identity(practice: PracticeId, key: str) -> bytes:
    """What a stored document is bound to; the key "" is the directory's."""
    return f"patient|{practice}|{key}".encode()


async def load_patients(
    connection: Connection, practice: PracticeId, keys: Collection[PatientKey], keyring: Keyring
) -> dict[PatientKey, tuple[int, bytes]]:
    """The stored documents by key: (sequence folded up to, document)."""
    rows = await connection.fetch(SQL["load_patients"], practice, list(keys))
    return {PatientKey(row["patient_key"]): _opened(practice, row, keyring) for row in rows}


async def shown_patients(
    connection: Connection, practice: PracticeId, keys: Collection[PatientKey], keyring: Keyring
) -> dict[PatientKey, tuple[int, bytes]]:
    """As `load_patients`, for a list that people look at: who cannot be opened is left out and keeps nobody else from being shown.

    Raises KeyMissing: without the key it is all of them.
    """
    found = {}
    for row in await connection.fetch(SQL["load_patients"], practice, list(keys)):
        try:
            found[PatientKey(row["patient_key"])] = _opened(practice, row, keyring)
        except UnreadableEvent as error:
            log.error("patient_not_shown", practice=practice, error_type=type(error).__name__)
    return found


async def read_patients(
    connection: Connection, practice: PracticeId, keyring: Keyring, *, batch: int = 500
) -> dict[PatientKey, tuple[int, bytes]]:
    """All stored documents of a practice."""
    rows = stored_patients(connection, practice, batch=batch)
    return {PatientKey(row["patient_key"]): _opened(practice, row, keyring) async for row in rows}


async def stored_patients(connection: Connection, practice: PracticeId, *, batch: int = 500) -> AsyncIterator[Row]:
    """The rows of all stored documents in the order of their keys, sealed."""
    after = ""
    while rows := await connection.fetch(SQL["read_patients"], practice, after, batch):
        for row in rows:
            yield row
        after = rows[-1]["patient_key"]


def _opened(practice: PracticeId, row: Row, keyring: Keyring) -> tuple[int, bytes]:
    return row["sequence"], opened(practice, row["patient_key"], row, keyring)


def opened(practice: PracticeId, key: str, row: Row, keyring: Keyring) -> bytes:
    """The document of a stored row. Raises UnreadableEvent or KeyMissing."""
    return keyring.open_sealed(row["key_id"], document_identity(practice, key), row["doc"])


async def save_patients(connection: Connection, practice: PracticeId, rows: Sequence[PatientRow], keyring: Keyring) -> None:
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


async def delete_patients(connection: Connection, practice: PracticeId, keys: Sequence[PatientKey]) -> None:
    """Documents that were absorbed by others."""
    await connection.execute(SQL["delete_patients"], practice, list(keys))


class StoredDirectory(NamedTuple):
    """`outdated`: an older worker has folded it, not as it is folded now."""

    sequence: int
    doc: bytes
    outdated: bool


async def directory_row(connection: Connection, practice: PracticeId) -> Row | None:
    """The row of the directory, sealed; None before the practice's own first event."""
    row: Row | None = await connection.fetchrow(SQL["load_directory"], practice)
    return row


async def stored_directory(connection: Connection, practice: PracticeId, keyring: Keyring) -> StoredDirectory | None:
    """None before the practice's own first event. Raises UnreadableEvent or KeyMissing."""
    row = await directory_row(connection, practice)
    return None if row is None else StoredDirectory(row["sequence"], opened(practice, "", row, keyring), row["outdated"])


async def directory(connection: Connection, practice: PracticeId, keyring: Keyring) -> Directory:
    """The directory as it is stored; an empty one before the practice's own first event."""
    stored = await stored_directory(connection, practice, keyring)
    return Directory() if stored is None else decode_directory(stored.doc)


async def save_directory(connection: Connection, practice: PracticeId, sequence: int, doc: bytes, keyring: Keyring) -> None:
    """Keep the directory, folded as it is folded now up to `sequence`."""
    key_id, sealed = keyring.seal(practice, document_identity(practice, ""), doc)
    await connection.execute(SQL["save_directory"], practice, sequence, key_id, sealed)


# -- charts and links -------------------------------------------------------------------------------------------------------


async def resolve_charts(connection: Connection, practice: PracticeId, charts: Collection[int]) -> dict[int, PatientKey]:
    """Which patient each chart of the chart side belongs to; charts never seen are absent."""
    if not charts:
        return {}
    rows = await connection.fetch(SQL["resolve_charts"], practice, list(charts))
    return {row["ehr"]: PatientKey(row["patient_key"]) for row in rows}


async def save_charts(connection: Connection, practice: PracticeId, charts: Mapping[EhrChartId, PatientKey]) -> None:
    await connection.execute(SQL["save_charts"], practice, list(charts), list(charts.values()))


async def replace_links(
    connection: Connection, practice: PracticeId, pairs: Sequence[tuple[int, int]], *, unlinked: Collection[int] = ()
) -> None:
    """Give each billing patient of `pairs` (chart side, billing side) its one link, and those `unlinked` none. Raises LinkTaken."""
    ehr, billing = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    await connection.execute(SQL["delete_links"], practice, [*billing, *unlinked])
    try:
        await connection.execute(SQL["save_links"], practice, ehr, billing)
    except asyncpg.UniqueViolationError:
        raise LinkTaken("a chart of the chart side has a link already") from None


async def links(connection: Connection, practice: PracticeId) -> list[tuple[int, int]]:
    """All links of a practice: (chart side, billing side)."""
    return [(row["ehr"], row["billing"]) for row in await connection.fetch(SQL["links"], practice)]


# -- status ---------------------------------------------------------------------------------------------------------------
