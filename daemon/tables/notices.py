"""What people of a practice were told, kept so that the next owner goes on from there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from daemon.tables.queries import SQL
from events.connection import Connection
from events.ids import PracticeId

Counts = Mapping[str, int]
"""How many items wait, by code."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message under way. `kind` is waiting, escalation or over; its `id` stays the same, however often it is tried. `taken` are the
    ways that it left by already."""

    id: str
    kind: str
    counts: Counts
    since: datetime
    next_try: datetime
    tries: int = 0
    taken: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an audience of a practice knows: `counts` as they were told (or have fallen since), when, and what is not told yet.

    `changed` is since when there is something new to tell; `escalated` whether others were told.
    """

    counts: Counts = {}
    at: datetime | None = None
    changed: datetime | None = None
    escalated: bool = False
    sending: Notice | None = None


async def read_told(pool: Connection, practices: Collection[PracticeId]) -> dict[tuple[PracticeId, str], Told]:
    """By practice and audience."""
    rows = await pool.fetch(SQL["notices"], list(practices))
    return {(row["practice"], row["audience"]): msgspec.json.decode(row["doc"], type=Told) for row in rows}


async def save_told(pool: Connection, practice: PracticeId, audience: str, epoch: int, told: Told) -> bool:
    """False where the practice has another owner: then nothing was saved, and nothing may be sent."""
    doc = msgspec.json.encode(told).decode()
    return await pool.fetchval(SQL["save_notice"], practice, audience, epoch, doc) is not None


async def waiting_of_each(
    pool: Connection, practices: Collection[PracticeId]
) -> dict[PracticeId, dict[str, tuple[int, datetime]]]:
    """How many items of each code wait in each practice, and since when the first of them does."""
    found: dict[PracticeId, dict[str, tuple[int, datetime]]] = {one: {} for one in practices}
    for row in await pool.fetch(SQL["waiting_of_each"], list(practices)):
        found[row["practice"]][row["code"]] = row["count"], row["since"]
    return found
