"""What is wrong with one system as a whole: a waiting item of the practice once calls fail in a row, cleared when one works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from daemon.runtime.recorder import PracticeRecorder
from events.schema import Body, WaitingCleared, WaitingRaised
from events.slots import SlotKind, slot_of
from events.store import AWAY
from events.writes import System
from projections.state.directory import Directory

log = structlog.get_logger()

VISIBLE_AFTER = 3


class Trouble:
    """Of one practice with one system, as its sink meets it."""

    def __init__(self, system: System, recorder: PracticeRecorder, now: Callable[[], datetime]) -> None:
        self._system = system
        self._recorder = recorder
        self._now = now
        self._slot = slot_of(SlotKind.SYSTEM, system)
        self._failures = 0
        self._raised = False

    def recall(self, directory: Directory) -> None:
        """What the owner before has shown is shown still."""
        self._raised = self._raised or self._slot in directory.waiting

    async def failed(self, code: str, text: str) -> None:
        """Count a failure; say so once it has failed a few times in a row. `text` goes on after the system's name."""
        self._failures += 1
        log.warning("system_failed", system=self._system, code=code, attempt=self._failures)
        if self._failures >= VISIBLE_AFTER and not self._raised:
            self._raised = True
            text = f"{self._system.value.capitalize()} {text}"
            await self._note(WaitingRaised(slot=self._slot, code=code, text=text))

    async def over(self) -> None:
        """The system has answered."""
        self._failures = 0
        if self._raised:
            self._raised = False
            await self._note(WaitingCleared(slot=self._slot, how="works again"))

    async def _note(self, body: Body) -> None:
        """While PostgreSQL is away it is left for the next time."""
        try:
            await self._recorder.record_bodies(
                [body], ehr=None, billing=None, cause=None, parts=(self._system, self._now().isoformat())
            )
        except AWAY as error:
            self._raised = not self._raised
            log.error("recording_failed", error_type=type(error).__name__, attempt=self._failures)
