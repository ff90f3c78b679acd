"""What Kareo shows in a form that cannot be read, or does not show: set aside, so that no pass stands still for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from daemon.vendors.kareo import wire
from daemon.vendors.ports.intake import Intake, Observation
from events.reasons import MISFIT
from events.schema import ChangeQuarantined
from events.text import name
from events.topics import Note, aside_of, row_of
from events.writes import System


class Unread:
    """The records of one practice that are set aside; each is read again with the next list that has it."""

    def __init__(self, intake: Intake, now: Callable[[], datetime]) -> None:
        self._intake = intake
        self._now = now

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
        record, path = name(record), name(path)
        body = ChangeQuarantined(system=System.BILLING, resource=resource, record=record, path=path, reason=reason, raw=raw)
        seen = Observation(body=body, resource=aside_of(resource), record=record, read_at=self._now(), notes=notes)
        await self._intake.observe([seen])
