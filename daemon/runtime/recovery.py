"""After a restore (events/restarts.py): nothing is written before both systems were read again, and every creation looks first.

It ends by itself: both systems have been read whole since history restarted, and no write is queued or under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from daemon.runtime.recorder import PracticeRecorder
from daemon.tables import observed
from events.codes import WaitCode
from events.connection import Connection
from events.ids import PracticeId
from events.restarts import HistoryRestarted, HistoryResumed
from events.schema import WaitingCleared, WaitingRaised
from events.slots import RESTART_SLOT
from events.store import AWAY
from events.watermarks import read_watermark
from events.writes import changes_nothing
from projections.state.open_intents import UNDER_WAY, OpenIntent
from projections.state.restart import Restarted, creates, looks_first
from projections.words.moment import in_zone
from projections.words.words import lost

log = structlog.get_logger()

LOOK_SECONDS = 1.0
REMIND_SECONDS = 60.0


class Caution:
    """What sinks ask before they write: whether they may begin, and whether to look first.

    `before_creation` returns once an attempt is known outside of the store, too.
    """

    def __init__(self, before_creation: Callable[[], Any] | None = None) -> None:
        self.restarted: Restarted | None = None
        self._before_creation = before_creation
        self._free = asyncio.Event()
        self._free.set()

    def recall(self, restarted: Restarted | None) -> None:
        """Go by what the directory says. Where history has just restarted nothing is begun before `free`."""
        if restarted is None or restarted.over is not None:
            self._free.set()
        elif self.restarted is None or self.restarted.at != restarted.at:
            self._free.clear()
        self.restarted = restarted

    @property
    def lasts(self) -> bool:
        return self.restarted is not None and self.restarted.over is None

    def free(self) -> None:
        """Both systems were read: writes may begin."""
        self._free.set()

    async def until_free(self) -> None:
        await self._free.wait()

    def looks(self, job: OpenIntent, after_an_attempt: Sequence[float]) -> Sequence[float]:
        """The pauses before each look whether a write has been made already; none where it certainly has not.

        The answer to an attempt may be late. What was made in a lost time is there by now.
        """
        if job.state in UNDER_WAY and not changes_nothing(job.write):
            return after_an_attempt
        return (0.0,) if looks_first(job, self.restarted) else ()

    async def attempted(self, job: OpenIntent) -> None:
        """An attempt was recorded and is made next."""
        if self._before_creation is not None and creates(job.write):
            await self._before_creation()


async def record_restart(recorder: PracticeRecorder, restarted: HistoryRestarted, zone: str) -> None:
    """Record that history restarts; recorded again it changes nothing."""
    until = in_zone(restarted.until, ZoneInfo(zone))
    text = (
        f"the database was restored to an earlier state: {lost(restarted)} (known until {until}). Both systems are read again, then "
        "each creation is looked for before it is made; this ends by itself. What people decided in the lost time they decide again"
    )
    waits = WaitingRaised(slot=RESTART_SLOT, code=WaitCode.HISTORY_RESTARTED.value, text=text)
    parts = (restarted.epoch, restarted.witnessed, restarted.until.isoformat())
    await recorder.record_bodies([restarted, waits], ehr=None, billing=None, cause=None, parts=parts)


async def recover(
    recorder: PracticeRecorder,
    caution: Caution,
    pool: Connection,
    reads: Collection[str],
    *,
    idle: Callable[[], bool],
    read_again: Callable[[str], None],
) -> None:
    """While history has restarted: wait for both systems to be read (`reads`, by their names as sources), let writes begin, and say
    when everything is settled. Runs until cancelled."""
    while True:
        try:
            await _recover(recorder, caution, pool, reads, idle, read_again)
        except AWAY as error:
            log.warning("recovery_delayed", practice=recorder.practice, error_type=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)
            continue
        await asyncio.Event().wait()  # history restarts at a take-over only


async def _recover(
    recorder: PracticeRecorder,
    caution: Caution,
    pool: Connection,
    reads: Collection[str],
    idle: Callable[[], bool],
    read_again: Callable[[str], None],
) -> None:
    waited = 0.0
    while caution.lasts and (
        missing := await unread_since(pool, recorder.practice, reads, caution.restarted, recorder.now())
    ):
        await asyncio.sleep(LOOK_SECONDS)
        waited += LOOK_SECONDS
        if waited >= REMIND_SECONDS:
            waited = 0.0
            for source in missing:
                read_again(source)
    caution.free()
    while caution.lasts:
        if idle():
            how = "both systems were read over the lost time, and what followed from it is settled"
            await recorder.record_practice([HistoryResumed(), WaitingCleared(slot=RESTART_SLOT, how=how)])
            log.info("history_resumed", practice=recorder.practice)
        else:
            await asyncio.sleep(LOOK_SECONDS)


async def unread_since(
    pool: Connection, practice: PracticeId, reads: Iterable[str], restarted: Restarted | None, now: datetime
) -> list[str]:
    """The passes that were not begun and recorded since history restarted."""
    missing = []
    for source in reads:
        mark = read_watermark(await observed.get_checkpoint(pool, practice, source), now)
        if restarted is not None and (mark is None or mark < restarted.at):
            missing.append(source)
    return missing
