"""Walking the stored events of a practice to check its hash chain, and what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from daemon.history.events_of import SQL
from events.evidence import Inspection, Mark
from events.store import ALL
from events.store import SQL as STORE

BATCH = 2000


async def inspect(
    pool: Any, practice: str, marks: Mapping[int, bytes], progress: Callable[[int], None] = lambda _sequence: None
) -> Inspection:
    """Check every event up to the practice's head as it is now, and that none lies beyond the head."""
    head = await pool.fetchrow(SQL["head"], practice)
    up_to, chain = (head["sequence"], head["chain"]) if head is not None else (0, None)
    result = Inspection(practice, marks)
    after, going, last = -ALL, True, up_to if head is not None else ALL
    while going and (rows := await pool.fetch(STORE["read"], practice, after, last, BATCH)):
        for row in rows:
            if not (going := result.take(row)):
                break
        after = rows[-1]["sequence"]
        progress(after)
    result.end(up_to, chain)
    if result.problem is None and (beyond := await pool.fetchval(SQL["beyond"], practice)) is not None:
        result.wrong(beyond, f"was inserted after the practice's last event, #{up_to}")
    return result


async def heads(pool: Any) -> dict[str, int]:
    """Every practice that has events, with its last sequence."""
    return {row["practice"]: row["sequence"] for row in await pool.fetch(SQL["heads"])}


def marks_of(practice: str, marks: tuple[Mark, ...]) -> dict[int, bytes]:
    return {one.sequence: bytes.fromhex(one.chain) for one in marks if one.practice == practice}
