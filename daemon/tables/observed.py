"""What connectors compare with, how far their passes have come, and their webhook subscriptions: operational, not history."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence

from daemon.tables.queries import SQL
from events.connection import Connection
from events.ids import PracticeId
from events.keys import KeyMissing, Keyring, UnreadableEvent
from events.topics import Note, Seen
from events.writes import System

FEED = "feed"
"""The outward feed's position lies among the checkpoints under this name."""
RULES = "rules"
"""The direction table that the practice was kept by lies there, too."""
NO_SOURCES = (RULES, "policy reads", "policy hints")
"""Checkpoints that say nothing of how far a source has come: a connector's own lie there under names without a system."""
SEALED = "sealed:"
"""What a stored signing key begins with when it is sealed; then the key's id, a colon, nonce and ciphertext in base64."""


async def lookup_observed(
    connection: Connection, practice: PracticeId, system: System, records: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Seen]:
    """What was recorded of these (resource, record) pairs last."""
    rows = await connection.fetch(
        SQL["lookup_observed"],
        practice,
        system.value,
        [resource for resource, _ in records],
        [record for _, record in records],
    )
    return {
        (row["resource"], row["record"]): Seen(
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
    """The webhook subscriptions of a practice, with the key each delivery is checked by.

    Once the practice has data keys, a signing key is sealed with them and bound to its subscription. What somebody with the
    database but without the keys put there is passed over, and its resource is subscribed anew (deploy/THREATS.md).
    """

    def __init__(self, pool: Connection, practice: PracticeId, keyring: Keyring) -> None:
        self._pool = pool
        self._practice = practice
        self._keyring = keyring

    async def get(self) -> dict[str, tuple[int, str]]:
        """By resource: (subscription id, signing key)."""
        rows = await self._pool.fetch(SQL["get_subscriptions"], self._practice)
        if self._keyring.in_force(self._practice) is None and any(row["signing_key"].startswith(SEALED) for row in rows):
            await self._keyring.refresh([self._practice])
        found: dict[str, tuple[int, str]] = {}
        for row in rows:
            key = self._opened(row["resource"], row["subscription"], row["signing_key"])
            if key is not None:
                found[row["resource"]] = (row["subscription"], key)
        return found

    async def save(self, resource: str, subscription: int, target: str, key: str) -> None:
        stored = key
        if self._keyring.in_force(self._practice) is not None:
            key_id, sealed = self._keyring.seal(self._practice, self._identity(resource, subscription), key.encode())
            stored = SEALED + key_id + ":" + b64encode(sealed).decode()
        await self._pool.execute(SQL["put_subscription"], self._practice, resource, subscription, target, stored)

    async def seal_all(self) -> None:
        """Seal what lies there in the clear, as soon as the practice has data keys."""
        for row in await self._pool.fetch(SQL["get_subscriptions"], self._practice):
            if not row["signing_key"].startswith(SEALED):
                await self.save(row["resource"], row["subscription"], row["target"], row["signing_key"])

    def _opened(self, resource: str, subscription: int, stored: str) -> str | None:
        if not stored.startswith(SEALED):
            return stored if self._keyring.in_force(self._practice) is None else None
        key_id, _, sealed = stored.removeprefix(SEALED).partition(":")
        try:
            return self._keyring.open_sealed(key_id, self._identity(resource, subscription), b64decode(sealed)).decode()
        except (KeyMissing, UnreadableEvent, ValueError):
            return None

    def _identity(self, resource: str, subscription: int) -> bytes:
        return f"subscription:{self._practice}:{resource}:{subscription}".encode()
