"""What Kareo shows in a form that cannot be read, or does not show: set aside, so that no pass stands still for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from daemon.vendors.kareo import wire
from daemon.vendors.ports.intake import Intake, Observation
from events.calendar import shifted
from events.reasons import MISFIT
from events.schema import ChangeQuarantined
from events.text import name
from events.topics import Note, aside_of, row_of
from events.writes import System

MOST_BACK = timedelta(days=1)
"""How far back polls list again what somebody has set aside."""


class Unread:
    """The records of one practice that are set aside; each is read again with the next list that has it.

    Until a poll has set nothing aside, the next ones list again what that poll has listed, for a day at most: what was garbled on
    its way, or not shown for a moment, would else wait for a sweep. A row that was read well costs nothing then.
    """

    def __init__(self, intake: Intake, now: Callable[[], datetime]) -> None:
        self._intake = intake
        self._now = now
        self._looked: dict[str, datetime] = {}
        self._back: dict[str, datetime] = {}
        self._fresh: set[str] = set()

    def since(self, resource: str, watermark: datetime) -> datetime:
        """From when on a poll that begins now lists what was modified: its watermark, or further back."""
        back = self._back.get(resource, watermark)
        since = min(watermark, max(back, shifted(self._now(), -MOST_BACK)))
        self._looked[resource] = since
        self._fresh.discard(resource)
        return since

    def polled(self, resource: str) -> None:
        """A poll has read all that it listed, but for what it has set aside itself."""
        if resource not in self._fresh:
            self._back.pop(resource, None)

    async def rows(self, resource: str, bad_rows: Sequence[wire.BadXmlRow]) -> None:
        """Rows of a list, kept whole."""
        for bad in bad_rows:
            await self.record(resource, str(bad.id or bad.path), MISFIT, bad.path, raw=bad.raw)

    async def patient(self, record: str, reason: str, path: str) -> None:
        """A patient by id, because of what stands at `path` ("" where nothing was shown)."""
        unread = Note(system=System.BILLING, resource=row_of("patients"), record=record, content_hash="")
        await self.record("patients", record, reason, path, (unread,))

    async def appointment(self, record: str, reason: str, path: str) -> None:
        """An appointment by its key, as `patient`."""
        await self.record("appointments", record, reason, path)

    async def record(
        self, resource: str, record: str, reason: str, path: str, notes: tuple[Note, ...] = (), raw: bytes = b""
    ) -> None:
        """Any record, with the notes of the list rows that it stands for."""
        self._fresh.add(resource)
        if resource in self._looked:
            self._back.setdefault(resource, self._looked[resource])
        record, path = name(record), name(path)
        body = ChangeQuarantined(system=System.BILLING, resource=resource, record=record, path=path, reason=reason, raw=raw)
        seen = Observation(body=body, resource=aside_of(resource), record=record, read_at=self._now(), notes=notes)
        await self._intake.observe([seen])
