"""Walking the stored events of a practice to check its hash chain, and what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing

from events.evidence import Inspection, Mark
from events.ids import PracticeId
from events.store import ALL, Store

BATCH = 2000


async def inspect(
    store: Store, practice: PracticeId, marks: Mapping[int, bytes], progress: Callable[[int], None] = lambda _sequence: None
) -> Inspection:
    """Check every event up to the practice's head as it is now, and that none lies beyond the head."""
    head = await store.head_row(practice)
    up_to, chain = (head.sequence, head.chain) if head is not None else (0, None)
    result = Inspection(practice, marks)
    batches = store.sealed(practice, -ALL, up_to if head is not None else ALL, batch=BATCH, chained=True)
    async with aclosing(batches):
        async for rows in batches:
            going = all(result.take(row) for row in rows)
            progress(rows[-1]["sequence"])
            if not going:
                break
    result.end(up_to, chain)
    if result.problem is None and (beyond := await store.beyond(practice)) is not None:
        result.wrong(beyond, f"was inserted after the practice's last event, #{up_to}")
    return result


def marks_of(practice: str, marks: tuple[Mark, ...]) -> dict[int, bytes]:
    return {one.sequence: bytes.fromhex(one.chain) for one in marks if one.practice == practice}
