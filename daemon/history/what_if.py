"""What would have been written under another policy, from a practice's stored events (projections/trial/what_if.py)."""

from __future__ import annotations

from contextlib import aclosing

from daemon.history.fold import OnProgress, untold
from events.codec import Keyring
from events.connection import Batches
from events.store import open_row
from projections.terms.policy import Policy
from projections.trial.what_if import Comparison, WhatIf
from projections.words.moment import AsOf


async def compare(
    batches: Batches,
    keyring: Keyring,
    policy: Policy,
    *,
    since: AsOf | None = None,
    progress: OnProgress = untold,
) -> Comparison:
    """Replay stored rows under `policy`. Raises UnreadableEvent, KeyMissing."""
    what_if = WhatIf(policy, since)
    async with aclosing(batches):
        async for batch in batches:
            for row in batch:
                what_if.take(open_row(row, keyring))
            progress(batch[-1]["sequence"])
    return what_if.close()
