"""Tables of hashes beside the documents: what the documents say, filled anew where they do not say it any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from daemon.tables import documents as tables
from daemon.tables.hashes import Hashes, hashes_of
from daemon.tables.queries import SQL
from events.codec import Keyring
from events.connection import Connection
from events.ids import PracticeId
from projections.state.patient import Patient, decode_patient

TOGETHER = 10_000
"""Rows that are written at once."""

AreComplete = Callable[[Connection, PracticeId, Hashes], Awaitable[bool]]
"""Whether a table was filled with these hashes, and kept with every document since."""

Fill = Callable[[Connection, PracticeId, Iterable[Patient], Hashes], Awaitable[None]]
"""Put the rows of all of a practice's patients into a table in place of any other; the patients are decoded as they are asked for."""


async def in_batches(connection: Connection, query: str, practice: PracticeId, rows: Iterable[tuple[Any, ...]]) -> None:
    """Have a query write or delete these rows, a batch at a time; nothing is sent where there are none."""
    given = sorted(rows)
    for start in range(0, len(given), TOGETHER):
        await connection.execute(SQL[query], practice, *map(list, zip(*given[start : start + TOGETHER], strict=True)))


class FilledTable:
    """One practice's table as its recorder keeps it, which knows whether it is complete.

    Where an older worker has left the table alone, or the practice's hashes have become others, it is filled anew.
    """

    def __init__(self, practice: PracticeId, keyring: Keyring, are_complete: AreComplete, fill: Fill) -> None:
        self.practice = practice
        self._keyring = keyring
        self._are_complete = are_complete
        self._fill = fill
        self._complete: bytes | None = None

    def forget(self) -> None:
        """A transaction failed, or the table was replaced: whether it is complete has to be seen anew."""
        self._complete = None

    def _hashes(self) -> Hashes:
        return hashes_of(self._keyring, self.practice)

    async def ensure(self, connection: Connection) -> Hashes:
        """The practice's hashes, once the table is complete with them. Raises KeyMissing."""
        hashes = self._hashes()
        if self._complete != hashes.complete:
            if not await self._are_complete(connection, self.practice, hashes):
                documents = await tables.read_patients(connection, self.practice, self._keyring)
                patients = (decode_patient(doc) for _, doc in documents.values())
                await self._fill(connection, self.practice, patients, hashes)
            self._complete = hashes.complete
        return hashes
