"""What is wrong with one system as a whole: a waiting item of the practice once calls fail in a row, cleared when one works.

The sink tells of its writes and the connector of its passes. A pass that works says nothing about writes that are not accepted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from enum import Enum, auto

import structlog

from daemon.runtime.attempt import TROUBLED, VISIBLE_AFTER, Trouble, trouble_of
from daemon.runtime.recorder import PracticeRecorder
from events.ids import IntentId
from events.schema import Body, WaitingCleared, WaitingRaised
from events.slots import SlotKind, slot_of
from events.store import AWAY
from events.writes import System
from projections.state.directory import Directory

log = structlog.get_logger()


class Dealing(Enum):
    """What was done when a call failed or worked."""

    READING = auto()
    WRITING = auto()


class SystemHealth:
    """One system of one practice, as its sink and its connector meet it."""

    def __init__(self, system: System, recorder: PracticeRecorder, now: Callable[[], datetime]) -> None:
        self._system = system
        self._recorder = recorder
        self._now = now
        self._slot = slot_of(SlotKind.SYSTEM, system)
        self._last = {one: deque[str](maxlen=VISIBLE_AFTER) for one in Dealing}
        self._failures = 0
        self._shown = ""
        self._trouble = slot_of(SlotKind.SYSTEM, system, "writes")
        self._trouble_shown = False
        self._troubled: dict[IntentId, int] = {}

    def recall(self, directory: Directory) -> None:
        """What the owner before has shown is shown still."""
        if self._slot in directory.waiting:
            self._shown = directory.waiting[self._slot].code
        self._trouble_shown = self._trouble_shown or self._trouble in directory.waiting

    async def heard(self, error: Exception | None, failures: int) -> None:
        """A pass has ended: well, or with an error, the `failures`-th of its own in a row."""
        if error is None:
            await self.works(Dealing.READING)
        elif (trouble := trouble_of(error, failures)) is not None:
            await self.failed(trouble, Dealing.READING)

    async def failed(self, trouble: Trouble, what: Dealing = Dealing.WRITING) -> None:
        """Count a failure; show it once calls have failed a few times in a row.

        Another cause replaces the one shown after as many failures in a row of its own: people get the right advice.
        """
        self._failures += 1
        last = self._last[what]
        last.append(trouble.code)
        log.warning(
            "system_failed", practice=self._recorder.practice, system=self._system, code=trouble.code, attempt=self._failures
        )
        if len(last) < VISIBLE_AFTER or self._shown == trouble.code:
            return
        if self._shown and last.count(trouble.code) < VISIBLE_AFTER:
            return
        text = f"{self._recorder.policy.names.label(self._system)} {trouble.text}"
        await self._show(trouble.code, WaitingRaised(slot=self._slot, code=trouble.code, text=text))

    async def works(self, what: Dealing = Dealing.WRITING) -> None:
        """The system has answered."""
        self._last[what].clear()
        if what is Dealing.WRITING:
            self._last[Dealing.READING].clear()
        if any(self._last.values()):
            return
        self._failures = 0
        if self._shown:
            await self._show("", WaitingCleared(slot=self._slot, how="works again"))

    async def troubled(self, intent: IntentId) -> None:
        """The system had trouble of its own with this write; others may go through all the same, so it has an item of its own."""
        self._troubled[intent] = self._troubled.get(intent, 0) + 1
        log.warning(
            "system_failed",
            practice=self._recorder.practice,
            system=self._system,
            code=TROUBLED.code,
            attempt=self._troubled[intent],
        )
        if self._troubled[intent] < VISIBLE_AFTER or self._trouble_shown:
            return
        text = f"{self._recorder.policy.names.label(self._system)} {TROUBLED.text}"
        body = WaitingRaised(slot=self._trouble, code=TROUBLED.code, text=text)
        self._trouble_shown = await self._recorded(body, TROUBLED.code)

    async def ended(self, intent: IntentId) -> None:
        """The write was done, or waits for a person."""
        self._troubled.pop(intent, None)
        if self._trouble_shown and all(count < VISIBLE_AFTER for count in self._troubled.values()):
            self._trouble_shown = not await self._recorded(WaitingCleared(slot=self._trouble, how="works again"), "ended")

    async def _show(self, code: str, body: Body) -> None:
        """While PostgreSQL is away it is left for the next time."""
        before, self._shown = self._shown, code
        if not await self._recorded(body, code):
            self._shown = before

    async def _recorded(self, body: Body, code: str) -> bool:
        try:
            await self._recorder.record_bodies(
                [body], ehr=None, billing=None, cause=None, parts=(self._system, self._now().isoformat(), code)
            )
        except AWAY as error:
            log.error(
                "recording_failed", practice=self._recorder.practice, error_type=type(error).__name__, attempt=self._failures
            )
            return False
        return True
