"""Passes that repeat: each at its own interval, sooner when nudged, never twice at once, and never silent about failing."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

import structlog

from daemon.vendors.ports.errors import (
    CredentialsRefused,
    Malformed,
    Refused,
    Throttled,
    Unauthorized,
    VendorError,
)
from events.backoff import Backoff, Hurried
from events.ids import PracticeId
from events.reasons import MISFIT, NOT_SHOWN, UNANSWERED
from events.store import AWAY, Fenced
from events.stray import settled
from events.traces import reading

log = structlog.get_logger()

BACKOFF = Backoff()
PASSING = (VendorError, *AWAY)

EXTRA_DEFECTS = 3
"""What was read besides the passes waits for the next pass then, so that it does not keep others waiting."""

STUBBORN = 5
"""Times in a row that one record cannot be had before it is set aside: trouble of the vendor's as a whole hits the others, too."""

AGAIN_AT_ONCE = 10
"""Records that have no answer and were set aside, and that one pass asks for again."""

AWAY_AFTER = 2
"""Records in a row that cannot be had, and none that can: then it is the vendor, and no record is asked for before the next pass."""

Pass = Callable[[], Awaitable[None]]

Heard = Callable[[Exception | None, int], Awaitable[None]]
"""Hears how a pass ended: the error (None: well), and how often in a row."""


def why_unread(error: Refused | Malformed) -> tuple[str, str]:
    """Why a record cannot be read, and the place in it ("" where nothing was shown)."""
    return (MISFIT, error.path) if isinstance(error, Malformed) else (NOT_SHOWN, "")


AsideWith = Callable[[str, str, str], Awaitable[None]]
"""Sets a record (its id) aside, for a reason, because of what stands at a path ("" for none)."""


class OneByOne:
    """Records that a pass asks for one at a time: one that cannot be had keeps no other from being read.

    What the vendor refuses, or answers with nonsense, is set aside at once. Where it has trouble, or gives no answer, the others
    are read first; a record that fails by itself is asked for again by the next passes, and set aside after `STUBBORN` of them.
    From then on it fails no pass, and is `due` with each all the same: its trouble may pass, and no list may show it again.
    """

    def __init__(self, set_aside: AsideWith) -> None:
        self._set_aside = set_aside
        self._failed: Counter[str] = Counter()
        self._unanswered: list[str] = []

    def due(self) -> list[str]:
        """Some of those that had no answer and were set aside; the others come with the next passes."""
        return self._unanswered[:AGAIN_AT_ONCE]

    async def read(self, records: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
        """Do `work` for each. Raises what came of the last one that is to be asked for again, once the others are done."""
        failed: dict[str, VendorError] = {}
        done = 0
        for record in sorted(records, key=lambda one: self._failed[one]):
            try:
                await work(record)
            except (CredentialsRefused, Throttled):
                raise
            except (Refused, Malformed) as error:
                await self._set_aside(record, *why_unread(error))
            except VendorError as error:
                if record in self._unanswered:
                    self._unanswered.remove(record)
                    self._unanswered.append(record)
                    continue
                failed[record] = error
                if not done and len(failed) >= AWAY_AFTER:
                    raise
                continue
            done += 1
            self._failed.pop(record, None)
            if record in self._unanswered:
                self._unanswered.remove(record)
        again = [record for record in failed if not await self._gives_up(record)]
        if again:
            raise failed[again[-1]]

    async def _gives_up(self, record: str) -> bool:
        """Count a failure of this record alone; whether it is set aside now."""
        self._failed[record] += 1
        if self._failed[record] < STUBBORN:
            return False
        del self._failed[record]
        await self._set_aside(record, UNANSWERED, "")
        self._unanswered.append(record)
        return True


class Failed(NamedTuple):
    """What was tried has failed: whether that may pass by itself (else it is a defect), and the pause before the next try."""

    passing: bool
    pause: float


class Passes:
    """The repeated passes of one connector. `failing` says, by pass, why the last one failed ("" when it did not).

    `hinted` are records that are to be read besides the passes, because something hinted at them.
    """

    def __init__(self, source: str, practice: PracticeId) -> None:
        self._source = source
        self._practice = practice
        self._due: dict[str, asyncio.Event] = {}
        self.heard: Heard | None = None
        self._extra: asyncio.Queue[tuple[str, Pass, int]] = asyncio.Queue()
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
        """Do something besides the passes, soon. What the vendor refuses or answers with nonsense is not tried for ever.

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

        self._extra.put_nowait((name, try_it, 0))

    async def extras(self) -> None:
        """Do what `once` was given, until cancelled. What fails comes again behind the others: it may be that record alone."""
        async with asyncio.TaskGroup() as group:
            while True:
                name, work, failures = await self._extra.get()
                failed = await self.tried(name, work, failures + 1)
                if failed is None:
                    continue
                if failures + 1 >= EXTRA_DEFECTS and not failed.passing:
                    self.failing.pop(name, None)
                    continue
                group.create_task(self._once_more(name, work, failures + 1, failed.pause))

    async def _once_more(self, name: str, work: Pass, failures: int, pause: float) -> None:
        await self._hurried.sleep(pause)
        self._extra.put_nowait((name, work, failures))

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

    async def until_done(self, name: str, work: Pass, *, tries: int | None = None) -> None:
        """Try `work` until it succeeds. Vendor, broker and database may be away; a defect stops this pass and no other.

        Given up after so many `tries`, None: never. Raises Fenced once the practice is another owner's.
        """
        failures = 0
        while (failed := await self.tried(name, work, failures := failures + 1)) is not None:
            if failures == tries:
                self.failing.pop(name, None)
                return
            await self.wait(failed.pause)

    async def tried(self, name: str, work: Pass, number: int) -> Failed | None:
        """Try `work` for the `number`-th time in a row; None when it was done. Raises Fenced."""
        try:
            with reading(f"{self._source}.{name.partition(':')[0]}"):
                await settled(work())
            await self._told(None, 0)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - said, shown, and tried again
            pause = self._failed(name, error, number)
            await self._told(error, number)
            return Failed(isinstance(error, PASSING), pause)
        self.failing.pop(name, None)
        self.done[name] = self.done.get(name, 0) + 1
        return None

    async def wait(self, seconds: float) -> None:
        """Pause, or until `hurry`."""
        await self._hurried.sleep(seconds)

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
