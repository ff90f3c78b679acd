"""Charts of one system that are likely of one person, as found so far: by ids, with how alike they are, no patient's data."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from daemon.tables.queries import SQL
from events.connection import Connection
from events.ids import PracticeId
from events.writes import Likeness, System

SHARED = 3
"""Keys that charts of one person share at least, misspelt and all."""

MOST = 250
"""Charts with one key; a key that more have tells nothing."""

TOGETHER = 5_000

_LIKENESS = msgspec.msgpack.Decoder(Likeness)


class DuplicateRow(NamedTuple):
    """Two charts of one system, the lower id first."""

    system: System
    one: int
    other: int
    likeness: Likeness

    def touches(self, charts: Collection[tuple[System, int]]) -> bool:
        return (self.system, self.one) in charts or (self.system, self.other) in charts


class LookedUpTo(NamedTuple):
    """Up to which event duplicates were looked for, among how many charts, by which rules."""

    sequence: int
    charts: int
    rules: str


async def looked_up_to(connection: Connection, practice: PracticeId) -> LookedUpTo | None:
    """None before the first look."""
    row = await connection.fetchrow(SQL["duplicate_head"], practice)
    return None if row is None else LookedUpTo(*row.values())


async def known_duplicates(connection: Connection, practice: PracticeId) -> list[DuplicateRow]:
    """All that were found, by system and ids."""
    rows = await connection.fetch(SQL["duplicates"], practice)
    found = (
        DuplicateRow(System(row["system"]), row["one"], row["other"], _LIKENESS.decode(row["likeness"])) for row in rows
    )
    return sorted(found, key=lambda one: one[:3])


async def pairs_sharing(connection: Connection, practice: PracticeId, system: System) -> list[tuple[int, int]]:
    """All pairs of charts of a system that share enough keys to be compared."""
    rows = await connection.fetch(SQL["match_pairs"], practice, system.value, SHARED, MOST)
    return [(row["one"], row["other"]) for row in rows]


async def charts_since(connection: Connection, practice: PracticeId, sequence: int) -> set[tuple[System, int]]:
    """The charts that events after `sequence` are about."""
    rows = await connection.fetch(SQL["charts_since"], practice, sequence)
    both = [(System.EHR, row["ehr"]) for row in rows] + [(System.BILLING, row["billing"]) for row in rows]
    return {(system, chart) for system, chart in both if chart is not None}


async def save(
    connection: Connection,
    practice: PracticeId,
    gone: Collection[DuplicateRow] | None,
    come: Collection[DuplicateRow],
    up_to: LookedUpTo,
) -> None:
    """Inside a transaction: what was found now; `gone` no longer, None for all that were known."""
    if gone is None:
        await connection.execute(SQL["clear_duplicates"], practice)
    elif gone:
        await connection.execute(SQL["delete_duplicates"], practice, *_columns(gone))
    rows = sorted(come, key=lambda one: one[:3])
    for start in range(0, len(rows), TOGETHER):
        some = rows[start : start + TOGETHER]
        likeness = [msgspec.msgpack.encode(one.likeness) for one in some]
        await connection.execute(SQL["save_duplicates"], practice, *_columns(some), likeness)
    await connection.execute(SQL["save_duplicate_head"], practice, *up_to)


def _columns(rows: Iterable[DuplicateRow]) -> tuple[list[str], list[int], list[int]]:
    kept = list(rows)
    return [one.system.value for one in kept], [one.one for one in kept], [one.other for one in kept]
