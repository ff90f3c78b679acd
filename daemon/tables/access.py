"""The access log: who looked at whom and did what. Rows come in by a function of the database only, each chained to the one before.

It holds ids and field names, never a value of a patient's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from daemon.tables.queries import CONSOLE
from events.connection import Connection
from events.ids import PRACTICE, PatientKey

NOWHERE = ""
"""The practice of what is about none: signing in and out, users."""
LAST = 2**62
PAGE = 1000


class AccessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record; `what` is the page or the deed, `detail` what is to be known of it beside the patient."""

    sequence: int
    at: datetime
    who: str
    address: str
    patient_key: str
    what: str
    detail: str


async def record(
    connection: Connection,
    practice: str,
    who: str,
    what: str,
    *,
    address: str = "",
    patient: PatientKey = PRACTICE,
    detail: str = "",
) -> int:
    """Append a record; returns its sequence in the practice's log."""
    texts = [one.replace("\0", "")[:500] for one in (who, address, patient, what, detail)]
    return int(await connection.fetchval(CONSOLE["record_access"], practice, *texts))


async def record_each(
    connection: Connection,
    practice: str,
    who: str,
    what: str,
    patients: Iterable[PatientKey],
    *,
    address: str = "",
    detail: str = "",
) -> None:
    """Append a record for each of these patients: a list shows each of them, a deed is about each of them."""
    who, address, what, detail = (one.replace("\0", "")[:500] for one in (who, address, what, detail))
    await connection.fetchval(CONSOLE["record_views"], practice, who, address, what, detail, sorted(set(patients)))


async def last(connection: Connection, practice: str, *, before: int = LAST, most: int = 100) -> list[AccessRecord]:
    """Records of a practice before one, the last first."""
    rows = await connection.fetch(CONSOLE["access_before"], practice, before, most)
    return [msgspec.convert(dict(row), AccessRecord) for row in rows]


async def of_patient(
    connection: Connection, practice: str, *patient: PatientKey, before: int = LAST, most: int = 100
) -> list[AccessRecord]:
    """Who looked at a patient, by any of the keys that name it, and did what, the last first."""
    rows = await connection.fetch(CONSOLE["access_of_patient"], practice, sorted(set(patient)), before, most)
    return [msgspec.convert(dict(row), AccessRecord) for row in rows]


async def of_who(
    connection: Connection, practice: str, who: str, *, before: int = LAST, most: int = 100
) -> list[AccessRecord]:
    """What somebody looked at and did, the last first."""
    rows = await connection.fetch(CONSOLE["access_of_who"], practice, who, before, most)
    return [msgspec.convert(dict(row), AccessRecord) for row in rows]


async def broken_at(connection: Connection, practice: str) -> int | None:
    """The first record that is not as it was written, or is missing; None for a log that is whole."""
    chain, sequence = b"", 0
    while rows := await connection.fetch(CONSOLE["access_page"], practice, sequence, PAGE):
        for row in rows:
            chain = link(
                chain, practice, msgspec.convert({key: row[key] for key in AccessRecord.__struct_fields__}, AccessRecord)
            )
            if row["sequence"] != sequence + 1 or chain != row["chain"]:
                return sequence + 1
            sequence += 1
    head = await connection.fetchrow(CONSOLE["access_head"], practice)
    kept = (0, b"") if head is None else (head["sequence"], head["chain"])
    return None if kept == (sequence, chain) else sequence + 1


def link(chain: bytes, practice: str, one: AccessRecord) -> bytes:
    """The hash of a record and of the one before it, as the database makes it."""
    since = one.at - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    texts = (practice, str(one.sequence), str(micros), one.who, one.address, one.patient_key, one.what, one.detail)
    return sha256(chain + b"".join(_framed(text) for text in texts)).digest()


def _framed(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(4, "big") + encoded
