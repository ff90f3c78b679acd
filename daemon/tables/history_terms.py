"""What events are found by, in PostgreSQL: keyed hashes of fields and of the names of who asked (`projections/words/terms_of.py`).

A projection of the events alone, filled beside the recording (`daemon/history/searchable.py`). Without the practice's key a row tells nothing
but that two events have something in common.
"""

from __future__ import annotations

from collections.abc import Iterable

from daemon.tables.hashes import hashes_of
from daemon.tables.queries import SQL
from events.codec import Keyring
from events.connection import Connection, ConnectionPool, Row
from events.ids import PracticeId
from events.writes import System
from projections.words.terms_of import RULES

TermRow = tuple[bytes, int]
"""Hash, sequence."""


def hash_of(keyring: Keyring, practice: PracticeId, term: str) -> bytes:
    """The hash of a term. Raises KeyMissing."""
    return hashes_of(keyring, practice).of(f"history:{term}")


async def kept_up_to(connection: Connection, practice: PracticeId) -> int:
    """The event up to which all terms are kept; 0 where that is by other rules, too."""
    row = await connection.fetchrow(SQL["history_head"], practice)
    return 0 if row is None or row["rules"] != RULES else int(row["sequence"])


async def clear(connection: Connection, practice: PracticeId) -> None:
    """Nothing is kept: it is filled anew."""
    await connection.execute(SQL["clear_history_head"], practice)
    await connection.execute(SQL["clear_history_terms"], practice)


async def save(pool: ConnectionPool, practice: PracticeId, rows: Iterable[TermRow], up_to: int) -> None:
    """Keep the terms of the next events, the last of which is `up_to`: once, whoever else does the same."""
    given = sorted(set(rows))
    async with pool.acquire() as connection, connection.transaction():
        if await kept_up_to(connection, practice) == 0:
            await clear(connection, practice)
        if given:
            await connection.execute(SQL["save_history_terms"], practice, *map(list, zip(*given, strict=True)))
        await connection.execute(SQL["advance_history_head"], practice, up_to, RULES)


async def stored(connection: Connection, practice: PracticeId) -> set[TermRow]:
    """The rows as they are stored."""
    return {(row["term"], row["sequence"]) for row in await connection.fetch(SQL["all_history_terms"], practice)}


async def last_of_charts(
    connection: Connection, practice: PracticeId, system: System, charts: Iterable[int], before: int, type_: str
) -> list[Row]:
    """The last event of a type about each of these charts of a system, before an event; as it lies in the store."""
    query = SQL["last_of_ehr_charts" if system is System.EHR else "last_of_billing_charts"]
    return list(await connection.fetch(query, practice, sorted(charts), before, type_))
