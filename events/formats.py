"""The format of what is stored: a number that grows when an older version can no longer read what this one writes.

A worker says its format in the statement that takes a practice over. `chartwire migrate --finish` sets the least that the database
takes: from then on it lets no older worker take a practice (migrations/0023_formats.sql), and a worker that knows this file says so
itself. What each format is, and which commit was the last of it, is in deploy/UPGRADE.md.
"""

from __future__ import annotations

import asyncpg

from events import queries
from events.connection import Connection
from events.ids import PracticeId

SQL = queries.load("formats")
FORMAT = 2
"""This version's. 1 is every version before formats were counted."""

UNTOLD = 1
"""Of a database that nobody has finished, and of a worker that says none."""


class OlderVersion(Exception):
    """The database was finished by a newer version. The message says what to do."""

    def __init__(self, least: int) -> None:
        super().__init__(
            f"since `chartwire migrate --finish` the database takes workers of format {least} or newer, and this version has "
            f"format {FORMAT}: start the version that finished it, or a newer one"
        )
        self.least = least


async def least_format(connection: Connection) -> int:
    """The least format that the database takes; UNTOLD also where it is still to be migrated."""
    try:
        found = await connection.fetchval(SQL["least_format"])
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return UNTOLD
    return UNTOLD if found is None else int(found)


async def demand_format(connection: Connection) -> None:
    """Raises OlderVersion."""
    if (least := await least_format(connection)) > FORMAT:
        raise OlderVersion(least)


async def is_projected(connection: Connection, practice: PracticeId) -> bool:
    """Whether all projections of the practice were made by owners of this format. An older one leaves out what it does not know."""
    found = await connection.fetchval(SQL["projected"], practice)
    return found is None or int(found) >= FORMAT


async def require_format(connection: Connection) -> None:
    """From now on nothing older than this version takes a practice, whatever starts it."""
    await connection.execute(SQL["require_format"], FORMAT)
