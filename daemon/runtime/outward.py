"""Publishing what was recorded, from the store: the outward feed of one practice, run by its owner.

The position is kept in the database and moves only after the broker has acknowledged, so nothing is missed, whatever
fails; and only rows of the store are sent, so nothing is invented. What was sent and not yet noted is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import structlog

from daemon.tables import observed
from events.backoff import Backoff
from events.feed import encode_row
from events.ids import PracticeId
from events.store import AWAY, Store
from events.watermarks import read_position

log = structlog.get_logger()

BATCH = 500
LINGER = 0.1
BACKOFF = Backoff(longest=60.0)


class Feed:
    """`nudge` after each recording; `publish` takes the practice and messages in order (Bus.publish_recorded)."""

    def __init__(
        self, store: Store, practice: PracticeId, publish: Callable[[PracticeId, Sequence[bytes]], Awaitable[None]]
    ) -> None:
        self._store = store
        self._practice = practice
        self._publish = publish
        self._after: int | None = None
        self._due = asyncio.Event()
        self.failing = ""
        """Why what was recorded cannot be published now, "" while it can."""

    def nudge(self) -> None:
        self._due.set()

    async def run(self) -> None:
        """Publish what is there and what comes, until cancelled; broker and database may be away for a while."""
        failures = 0
        while True:
            try:
                await self._catch_up()
            except AWAY as error:
                failures += 1
                self.failing = type(error).__name__
                log.warning("feed_delayed", practice=self._practice, error_type=type(error).__name__, attempt=failures)
                await asyncio.sleep(BACKOFF.pause(failures))
                continue
            failures, self.failing = 0, ""
            await self._due.wait()
            await asyncio.sleep(LINGER)  # a burst is one batch

    async def _catch_up(self) -> None:
        self._due.clear()
        if self._after is None:
            self._after = read_position(await observed.get_checkpoint(self._store.pool, self._practice, observed.FEED))
        batches = self._store.sealed(self._practice, self._after, batch=BATCH, chained=True)
        async with aclosing(batches):
            async for rows in batches:
                await self._publish(self._practice, [encode_row(row) for row in rows])
                await observed.set_checkpoint(self._store.pool, self._practice, observed.FEED, str(rows[-1]["sequence"]))
                self._after = rows[-1]["sequence"]
