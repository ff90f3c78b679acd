"""What is wrong with one system as a whole: a waiting item of the practice once calls fail in a row, cleared when one works.

The sink tells of its writes and the connector of its passes. A pass that works says nothing about writes that are not accepted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

import structlog

from daemon.runtime.attempt import TROUBLED, UNREADABLE, UNUSABLE, VISIBLE_AFTER, Trouble, trouble_of
from daemon.runtime.recorder import PracticeRecorder
from events.ids import IntentId
from events.schema import Body, WaitingCleared, WaitingRaised
from events.slots import SlotKind, slot_of
from events.store import AWAY
from events.writes import System
from projections.state.directory import Directory

log = structlog.get_logger()


NAMED = 3
"""Records that an item names."""


class Dealing(Enum):
    """What was done when a call failed or worked."""

    READING = auto()
    WRITING = auto()


class _Failing(NamedTuple):
    """A write that has failed so many times in a row; `record` is what the item names it by, "" where it does not."""

    times: int
    record: str


class _Alone:
    """Writes that fail one by one while others go through: one item says so as long as one of them has failed a few times."""

    def __init__(self, slot: str, trouble: Trouble) -> None:
        self.slot = slot
        self.trouble = trouble
        self.shown = ""
        self._failed: dict[IntentId, _Failing] = {}

    def failed(self, intent: IntentId, record: str = "") -> int:
        """Count a failure; how many this write has had."""
        before = self._failed.get(intent)
        self._failed[intent] = _Failing(1 if before is None else before.times + 1, record)
        return self._failed[intent].times

    def ended(self, intent: IntentId) -> None:
        self._failed.pop(intent, None)

    def text(self, label: str) -> str:
        """What the item has to say; "" while nothing is to be shown."""
        stuck = [one for one in self._failed.values() if one.times >= VISIBLE_AFTER]
        if not stuck:
            return ""
        named = sorted({one.record for one in stuck} - {""})
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        return f"{label} {self.trouble.text}{': ' if named else ''}{', '.join(named[:NAMED])}{more}"


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
        self._troubled = _Alone(slot_of(SlotKind.SYSTEM, system, "writes"), TROUBLED)
        self._unreadable = _Alone(slot_of(SlotKind.SYSTEM, system, "records"), UNREADABLE)
        self._pausing: dict[IntentId, int] = {}
        self._worked = 0

    def recall(self, directory: Directory) -> None:
        """What the owner before has shown is shown still."""
        if self._slot in directory.waiting:
            self._shown = directory.waiting[self._slot].code
        for alone in (self._troubled, self._unreadable):
            if not alone.shown and alone.slot in directory.waiting:
                alone.shown = directory.waiting[alone.slot].text

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
        self._say(trouble, self._failures)
        if len(last) < VISIBLE_AFTER or self._shown == trouble.code:
            return
        if self._shown and last.count(trouble.code) < VISIBLE_AFTER:
            return
        text = f"{self._recorder.policy.names.label(self._system)} {trouble.text}"
        await self._show(trouble.code.value, WaitingRaised(slot=self._slot, code=trouble.code.value, text=text))

    async def works(self, what: Dealing = Dealing.WRITING) -> None:
        """The system has answered."""
        self._worked += 1
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
        self._say(TROUBLED, self._troubled.failed(intent))
        await self._tell(self._troubled)

    async def unusable(self, intent: IntentId, record: str) -> None:
        """An answer about this write, or about the `record` that it changes, could not be used.

        Where others go through, it is that record and not the system: an item names it.
        """
        if self._worked == self._pausing.setdefault(intent, self._worked):
            await self.failed(UNUSABLE)
            return
        self._say(UNREADABLE, self._unreadable.failed(intent, record))
        await self._tell(self._unreadable)

    async def ended(self, intent: IntentId) -> None:
        """The write was done, or waits for a person."""
        self._pausing.pop(intent, None)
        for alone in (self._troubled, self._unreadable):
            alone.ended(intent)
            await self._tell(alone)

    def _say(self, trouble: Trouble, attempt: int) -> None:
        log.warning(
            "system_failed", practice=self._recorder.practice, system=self._system, code=trouble.code, attempt=attempt
        )

    async def _tell(self, alone: _Alone) -> None:
        text = alone.text(self._recorder.policy.names.label(self._system))
        if text == alone.shown:
            return
        raised = WaitingRaised(slot=alone.slot, code=alone.trouble.code.value, text=text)
        body = raised if text else WaitingCleared(slot=alone.slot, how="works again")
        if await self._recorded(body, alone.trouble.code.value if text else "ended"):
            alone.shown = text

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
