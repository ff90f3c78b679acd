"""The owner's part in the witness (events/witnessed.py): it publishes how far the practice has come.

When the practice is taken over and put down, before each creation at a vendor, every few seconds while something is recorded, and
now and then all the same: the topic may have been made anew since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from events.backoff import Backoff
from events.bus import Bus
from events.ids import PracticeId
from events.store import AWAY, Head
from events.witnessed import Witnessed

log = structlog.get_logger()

EVERY = 2.0
AGAIN = 600.0
"""Seconds after which a head is told again that has not changed."""

NOTHING = Head(-1, 0, None)
TELL_SECONDS = 2.0
"""How long a creation waits for the witness, and a stop; a broker that is away does not hold them up."""

BACKOFF = Backoff(longest=60.0)


class HeadTeller:
    """Publishes the practice's head, which `head` gives. `nudge` after each recording."""

    def __init__(self, bus: Bus, practice: PracticeId, head: Callable[[], Head], now: Callable[[], datetime]) -> None:
        self._bus = bus
        self._practice = practice
        self._head = head
        self._now = now
        self._told = NOTHING
        self._telling = asyncio.Lock()
        self._due = asyncio.Event()
        self.failing = ""
        """Why the head cannot be published now, "" while it can."""

    def nudge(self) -> None:
        self._due.set()

    async def tell(self) -> None:
        """Publish the head as it is now, if it is not published. Raises ConnectionError, KeyMissing."""
        async with self._telling:
            head = self._head()
            if head == self._told:
                return
            witnessed = Witnessed(
                practice=self._practice, sequence=head.sequence, epoch=head.epoch, chain=head.chain or b"", at=self._now()
            )
            await self._bus.heads.tell(witnessed)
            self._told = head

    async def tell_in_time(self) -> None:
        """Before a creation: have it known that its attempt was recorded. At the end: have all of it known."""
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await self.tell()
        except (TimeoutError, *AWAY) as error:
            log.warning("head_not_told", practice=self._practice, error_type=type(error).__name__)

    async def run(self) -> None:
        """Publish what is recorded, until cancelled; the broker may be away for a while."""
        failures = 0
        while True:
            if not await self._asked():
                self._told = NOTHING
            self._due.clear()
            try:
                await self.tell()
            except AWAY as error:
                failures += 1
                self.failing = type(error).__name__
                log.warning("head_not_told", practice=self._practice, error_type=type(error).__name__, attempt=failures)
                self._due.set()
                await asyncio.sleep(BACKOFF.pause(failures))
                continue
            failures, self.failing = 0, ""
            await asyncio.sleep(EVERY)

    async def _asked(self) -> bool:
        """Wait until something was recorded; False where nothing was for a while."""
        try:
            async with asyncio.timeout(AGAIN):
                await self._due.wait()
        except TimeoutError:
            return False
        return True
