"""What connectors compare with, how far their passes have come, and their webhook subscriptions: operational, not history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from daemon.tables.queries import SQL
from events.connection import Connection
from events.ids import PracticeId
from events.topics import Note
from events.writes import System

FEED = "feed"
"""The outward feed's position lies among the checkpoints under this name."""


class ObservedRow(msgspec.Struct, frozen=True, kw_only=True):
    content_hash: str
    revision: int
    parent: str
    seen_at: datetime


async def lookup_observed(
    connection: Connection, practice: PracticeId, system: System, records: Sequence[tuple[str, str]]
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
            content_hash=row["content_hash"], revision=row["revision"], parent=row["parent"], seen_at=row["seen_at"]
        )
        for row in rows
    }


async def observed_records(
    connection: Connection, practice: PracticeId, system: System, resource: str
) -> list[tuple[str, str, str]]:
    """All recorded records of a resource: (record, content hash, parent)."""
    rows = await connection.fetch(SQL["observed_records"], practice, system.value, resource)
    return [(row["record"], row["content_hash"], row["parent"]) for row in rows]


async def save_observed(connection: Connection, practice: PracticeId, notes: Iterable[Note]) -> None:
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


async def get_checkpoint(connection: Connection, practice: PracticeId, source: str) -> str | None:
    value: str | None = await connection.fetchval(SQL["get_checkpoint"], practice, source)
    return value


async def set_checkpoint(connection: Connection, practice: PracticeId, source: str, value: str) -> None:
    await connection.execute(SQL["set_checkpoint"], practice, source, value)


class StoredSubscriptions:
    """The webhook subscriptions of a practice, with the key each delivery is checked by."""

    def __init__(self, pool: Connection, practice: PracticeId) -> None:
        self._pool = pool
        self._practice = practice

    async def get(self) -> dict[str, tuple[int, str]]:
        """By resource: (subscription id, signing key)."""
        rows = await self._pool.fetch(SQL["get_subscriptions"], self._practice)
        return {row["resource"]: (row["subscription"], row["signing_key"]) for row in rows}

    async def put(self, resource: str, subscription: int, target: str, key: str) -> None:
        await self._pool.execute(SQL["put_subscription"], self._practice, resource, subscription, target, key)
