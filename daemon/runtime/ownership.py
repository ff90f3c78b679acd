"""Whether a practice is still this owner's: asked before each call to a vendor."""

from __future__ import annotations

import asyncio

import structlog

from events.ids import PracticeId
from events.store import AWAY, Store

log = structlog.get_logger()

OWNERSHIP_PAUSE = 1.0
OWNERSHIP_FRESH = 1.0


class Ownership:
    """Returns while the practice is this owner's, raises Fenced once it is another's (a `Guard`).

    While PostgreSQL is away nobody can tell, and nothing could be recorded: it waits. A worker suspended between the answer
    and the call asks again.
    """

    def __init__(self, store: Store, practice: PracticeId, epoch: int) -> None:
        self._store = store
        self._practice = practice
        self._epoch = epoch

    async def __call__(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            try:
                await self._store.confirm(self._practice, self._epoch)
            except AWAY as error:
                log.warning("ownership_unknown", practice=self._practice, error_type=type(error).__name__)
                await asyncio.sleep(OWNERSHIP_PAUSE)
                continue
            if loop.time() - asked < OWNERSHIP_FRESH:
                return
