"""Passes that repeat: each at its own interval, sooner when nudged, never twice at once, and never silent about failing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import structlog

from daemon.vendors.ports.errors import Malformed, Refused, Throttled, Unauthorized, VendorError
from events.backoff import Backoff, Hurried
from events.ids import PracticeId
from events.store import AWAY, Fenced
from events.stray import settled
from events.traces import reading

log = structlog.get_logger()

BACKOFF = Backoff()
PASSING = (VendorError, *AWAY)

EXTRA_DEFECTS = 3
"""What was read besides the rounds waits for the next round then, so that it does not keep others waiting."""

Pass = Callable[[], Awaitable[None]]

Heard = Callable[[Exception | None, int], Awaitable[None]]
"""Hears how a pass ended: the error (None: well), and how often in a row."""


class Rounds:
    """The repeated passes of one connector. `failing` says, by pass, why the last one failed ("" when it did not).

    `hinted` are records that are to be read besides the passes, because something hinted at them.
    """

    def __init__(self, source: str, practice: PracticeId) -> None:
        self._source = source
        self._practice = practice
        self._due: dict[str, asyncio.Event] = {}
        self.heard: Heard | None = None
        self._extra: asyncio.Queue[tuple[str, Pass]] = asyncio.Queue()
        self._asked: set[tuple[str, object]] = set()
        self._hurried = Hurried()
        self.failing: dict[str, str] = {}
        self.done: dict[str, int] = {}
        self.hinted: set[str] = set()

    def hurry(self) -> None:
        """Somebody says that it may work now: what pauses after a failure is tried."""
        self._hurried.now()

    def nudge(self, name: str) -> None:
        """Make a pass due now."""
        self._due.setdefault(name, asyncio.Event()).set()

    def once(self, name: str, work: Pass, because: object = None) -> None:
        """Do something besides the rounds, soon. What the vendor refuses or answers with nonsense is not tried for ever.

        What was asked for with this name, for the same reason, and has not begun is the same request.
        """
        request = (name, because)
        if request in self._asked:
            return
        self._asked.add(request)

        async def try_it() -> None:
            self._asked.discard(request)  # who asks from now on has perhaps heard of something newer
            try:
                await work()
            except (Refused, Malformed) as error:
                log.warning(
                    "reading_failed", practice=self._practice, operation=error.operation, error_type=type(error).__name__
                )

        self._extra.put_nowait((name, try_it))

    async def extras(self) -> None:
        """Do what `once` was given, until cancelled."""
        while True:
            name, work = await self._extra.get()
            await self.until_done(name, work, defects=EXTRA_DEFECTS)

    async def every(self, name: str, seconds: float, work: Pass, *, wait_first: bool = False) -> None:
        """Do `work` every so often until cancelled; a failed pass is tried again after a growing pause."""
        due = self._due.setdefault(name, asyncio.Event())
        while True:
            if wait_first:
                try:
                    async with asyncio.timeout(seconds):
                        await due.wait()
                except TimeoutError:
                    pass
            wait_first = True
            due.clear()
            await self.until_done(name, work)

    async def until_done(self, name: str, work: Pass, *, defects: int | None = None) -> None:
        """Try `work` until it succeeds. Vendor, broker and database may be away; a defect stops this pass and no other.

        Given up after so many `defects` in a row, None: never. Raises Fenced once the practice is another owner's.
        """
        failures = 0
        while True:
            try:
                with reading(f"{self._source}.{name.partition(':')[0]}"):
                    await settled(work())
                await self._told(None, 0)
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - said, shown, and tried again
                failures += 1
                pause = self._failed(name, error, failures)
                await self._told(error, failures)
                if defects is not None and failures >= defects and not isinstance(error, PASSING):
                    self.failing.pop(name, None)
                    return
                await self._hurried.sleep(pause)
            else:
                self.failing.pop(name, None)
                self.done[name] = self.done.get(name, 0) + 1
                return

    async def _told(self, error: Exception | None, failures: int) -> None:
        if self.heard is not None:
            await self.heard(error, failures)

    def _failed(self, name: str, error: Exception, failures: int) -> float:
        """Say why a pass failed. Returns the pause before the next try."""
        pause = BACKOFF.pause(failures)
        if isinstance(error, Throttled):
            pause = max(error.retry_after, pause)
        self.failing[name] = "credentials" if isinstance(error, Unauthorized) else type(error).__name__
        log.log(
            logging.WARNING if isinstance(error, PASSING) else logging.ERROR,
            "pass_failed" if isinstance(error, PASSING) else "pass_failed_by_defect",
            practice=self._practice,
            source=f"{self._source}.{name.partition(':')[0]}",
            error_type=type(error).__name__,
            operation=getattr(error, "operation", "recording"),
            attempt=failures,
            delay_seconds=round(pause, 2),
        )
        return pause
