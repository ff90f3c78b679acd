"""Whose turn it is in a sink: a lane for each patient, and behind everybody's what can wait.

What can wait (`events.bookings.can_wait`) goes out one call at a time, and of the lanes with nothing else the one with the fewest such
writes goes first. So a series of appointments that one save has made delays another patient's write by one call at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from events.bookings import can_wait
from events.ids import PatientKey
from projections.state.open_intents import OpenIntent
from projections.state.patient import Patient


@dataclass
class Lane:
    """One patient's work for this system: what is to do next, in order of request; what can wait comes last, in order of time."""

    jobs: dict[str, OpenIntent] = field(default_factory=dict)
    patient: Patient | None = None
    busy: bool = False

    @property
    def waits(self) -> bool:
        """Whether all of it can wait."""
        return all(can_wait(job.write) for job in self.jobs.values())

    def take(self) -> tuple[str, OpenIntent]:
        """The next job, which is the lane's no longer."""
        slot = min(self.jobs, key=lambda one: _turn(self.jobs[one]))
        return slot, self.jobs.pop(slot)


def _turn(job: OpenIntent) -> tuple[bool, str]:
    """In order of request; what can wait after everything else, the soonest first."""
    if not can_wait(job.write):
        return False, ""
    terms = getattr(job.write, "terms", None)
    return True, "" if terms is None else terms.start.isoformat()


class Turns:
    """The lanes that are ready. A lane that is busy comes back with `put` when it is not any more."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[PatientKey] = asyncio.Queue()
        self._waiting: dict[PatientKey, Lane] = {}
        self._some = asyncio.Event()
        self.one_call = asyncio.Semaphore(1)
        """Held by who makes a call that can wait."""

    def put(self, key: PatientKey, lane: Lane) -> None:
        """The lane has work and nobody at it."""
        if lane.waits:
            self._waiting[key] = lane
            self._some.set()
        else:
            self._waiting.pop(key, None)
            self._ready.put_nowait(key)

    async def next(self) -> PatientKey:
        """A lane with something that cannot wait."""
        return await self._ready.get()

    async def some_waiting(self) -> None:
        """Returns when there is a lane where everything can wait."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()

    def take_waiting(self) -> PatientKey | None:
        """Of the lanes where everything can wait that with the least to do, the first of several; None where none is left."""
        if not self._waiting:
            return None
        key = min(self._waiting, key=lambda one: len(self._waiting[one].jobs))
        del self._waiting[key]
        return key

    @asynccontextmanager
    async def aside(self, job: OpenIntent) -> AsyncIterator[None]:
        """While a write that can wait pauses, others of its kind are made."""
        if not can_wait(job.write):
            yield
            return
        self.one_call.release()
        yield
        await self.one_call.acquire()
