"""Holds that end by themselves: the practice's owner records their end when their time is over.

The time is compared once, here. A replay knows only what was recorded of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from daemon.runtime.recorder import PracticeRecorder
from events.holds import HoldBegan
from events.ids import PatientKey
from events.store import AWAY
from projections.deciding.holding import ended
from projections.rules.holds import is_outdated
from projections.state.directory import Directory
from projections.state.state import PracticeState

log = structlog.get_logger()

LONGEST_SECONDS = 600.0
"""Then the clock is looked at anew: it may have been set, or the machine have slept."""
AWAY_SECONDS = 5.0


class Holds:
    """`note` what is recorded; `run` ends what is over."""

    def __init__(self, recorder: PracticeRecorder, now: Callable[[], datetime]) -> None:
        self._recorder = recorder
        self._now = now
        self._holds: Mapping[str, HoldBegan] = {}
        self._changed = asyncio.Event()

    def note(self, directory: Directory | None) -> None:
        """The directory as it is now, where a recording has changed it."""
        if directory is not None and directory.holds != self._holds:
            self._holds = directory.holds
            self._changed.set()

    async def run(self) -> None:
        """Wait for the next end, then record it; until cancelled."""
        while True:
            self._changed.clear()
            try:
                for one in self._over():
                    await self._end(one)
            except AWAY as error:
                log.warning("holds_delayed", practice=self._recorder.practice, error_type=type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            try:
                async with asyncio.timeout(self._seconds()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _over(self) -> list[HoldBegan]:
        """Those whose time is over, and those of a system that refused everything under another configuration."""
        over = [one for one in self._holds.values() if one.until is not None and one.until <= self._now()]
        return over + [one for one in self._holds.values() if is_outdated(one, self._recorder.policy)]

    def _seconds(self) -> float | None:
        """Until the next one ends; None where none ends by itself."""
        ends = [one.until for one in self._holds.values() if one.until is not None]
        return min(max(0.0, (min(ends) - self._now()).total_seconds()), LONGEST_SECONDS) if ends else None

    async def _end(self, began: HoldBegan) -> None:
        """Unless it was released, or is held for longer, meanwhile."""

        def still(state: PracticeState, _key: PatientKey) -> bool:
            return state.directory.holds.get(began.slot) == began

        parts = (began.slot, began.until and began.until.isoformat(), self._now().isoformat())
        await self._recorder.record_bodies(
            [ended(began, reason="" if began.until else "the configuration is another one")],
            ehr=began.ehr,
            billing=began.billing,
            cause=None,
            parts=parts,
            only_if=still,
        )
