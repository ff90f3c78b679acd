"""What the last look-up of a period's encounters found, sealed with the practice's key: it repeats what the billing side holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from daemon.tables.queries import SQL
from events.codec import KeyMissing, Keyring, UnreadableEvent
from events.connection import Connection
from events.ids import PracticeId


class LookUp(msgspec.Struct, frozen=True, kw_only=True):
    """How many encounters were looked up, and by bill the fields that are not as they were sent: (holds, was sent).

    `at` is when they were; None while it is not stored.
    """

    encounters: int
    differs: Mapping[int, Mapping[str, tuple[str, str]]] = {}
    at: datetime | None = None


def _identity(practice: PracticeId, period: str) -> bytes:
    return f"look-up|{practice}|{period}".encode()


async def save_look_up(connection: Connection, practice: PracticeId, period: str, found: LookUp, keyring: Keyring) -> None:
    """Keep it in place of the last one of the period. Raises KeyMissing."""
    key_id, doc = keyring.seal(practice, _identity(practice, period), msgspec.msgpack.encode(found))
    await connection.execute(SQL["save_look_up"], practice, period, key_id, doc)


async def last_look_up(connection: Connection, practice: PracticeId, period: str, keyring: Keyring) -> LookUp | None:
    """None where the period was not looked up, or what was found cannot be opened any more: it is looked up again."""
    row = await connection.fetchrow(SQL["look_up"], practice, period)
    if row is None:
        return None
    try:
        doc = keyring.open_sealed(row["key_id"], _identity(practice, period), row["doc"])
        found = msgspec.msgpack.decode(doc, type=LookUp)
    except (KeyMissing, UnreadableEvent, msgspec.MsgspecError):
        return None
    return msgspec.structs.replace(found, at=row["looked_at"])
