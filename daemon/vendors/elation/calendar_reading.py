"""Observing Elation's calendar, where its appointments are booked on the billing side (projections/rules/bookings.py).

Webhooks tell of most changes. Nothing lists what was modified, so windows of days are read: the near days often, all of them seldom.
An appointment that is not in its window any more is asked for by id: absence is a question.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

import msgspec
import structlog

from daemon.vendors.elation import resources as wire
from daemon.vendors.elation import translate
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.elation.wire import BadRow, DecodedRow
from daemon.vendors.ports.errors import Gone, Malformed, NotFound, Refused
from daemon.vendors.ports.intake import Intake, Observation
from daemon.vendors.ports.passes import OneByOne, Passes, why_unread
from events.bookings import EhrAppointmentGone, EhrAppointmentObserved
from events.calendar import shifted
from events.ids import EhrChartId, EventId
from events.reasons import MISFIT
from events.schema import ChangeQuarantined
from events.text import name
from events.topics import Note, aside_of
from events.writes import System

log = structlog.get_logger()

APPOINTMENTS = "appointments"
FORMER, PAST = "appointments.former", "appointments.past"
BACK = timedelta(days=1)
NEAR = timedelta(days=14)
CHUNK = 200
NEAR_PASS, WHOLE_PASS = "calendar", "calendar-sweep"


class CalendarReader:
    """Reads the appointments of one practice. `known` lists the recorded ones as (record, chart), the chart "" for those gone."""

    def __init__(
        self,
        client: ElationClient,
        intake: Intake,
        config: ElationConfig,
        passes: Passes,
        *,
        known: Callable[[], Awaitable[list[tuple[str, str]]]],
        patience: float,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._intake = intake
        self._config = config
        self._passes = passes
        self._known = known
        self._patience = patience
        self._now = now
        self._missing = OneByOne(self._unread)

    async def read_near(self) -> None:
        """The days from yesterday for two weeks."""
        started = self._now()
        await self._window(started, NEAR)
        await self._finish(NEAR_PASS, started)

    async def read_all(self) -> None:
        """All days that a series may reach, and what has vanished from them."""
        started = self._now()
        present = await self._window(started, timedelta(days=self._config.calendar_days_ahead))
        missing = [record for record, chart in await self._known() if chart and record not in present]
        past = await self._intake.unknown([(PAST, record, PAST) for record in missing])
        await self._missing.read([record for record in missing if (PAST, record) in past], self._read_again)
        await self._finish(WHOLE_PASS, started)

    def soon(self, record: str, because: EventId | None = None) -> None:
        """Read one appointment besides the passes."""
        self._passes.once(f"in-calendar:{record}", lambda: self.read(int(record), because), because)

    async def read_of(self, chart: EhrChartId, because: EventId) -> None:
        """A chart's appointments from yesterday on: somebody asked for it."""
        started = self._now()
        first, last = shifted(started, -BACK), shifted(started, timedelta(days=self._config.calendar_days_ahead))
        await self._observe(self._client.appointments(first, last, patient=chart), because)

    async def read(self, appointment: int, because: EventId | None = None) -> None:
        """One appointment by id, whatever became of it."""
        chart = await self._intake.parent(APPOINTMENTS, str(appointment))
        read_at = self._now()
        try:
            one = await self._client.get_appointment(appointment)
        except Gone:
            await self._gone(appointment, chart, None, read_at, because)
            return
        except NotFound:
            if chart:  # nobody can tell whether it was deleted, or only is not visible any more
                reason = "is not visible any more; look for it, and read the patient again"
                await self._intake.observe([_unusable(str(appointment), "$", reason, read_at)])
            return
        except (Malformed, Refused) as error:
            await self._unread(str(appointment), *why_unread(error))
            return
        if one.practice != self._client.practice_id:
            return
        if one.deleted_date is not None or not is_appointment(one):
            await self._gone(appointment, chart, one.last_modified_date, read_at, because)
            return
        before = one.scheduled_date < shifted(read_at, -BACK)
        notes = (Note(system=System.EHR, resource=PAST, record=str(appointment), content_hash=PAST),) if before else ()
        seen = seen_appointment(one, read_at, chart, notes=notes)
        await self._intake.observe([_because(each, because) for each in seen])

    async def _read_again(self, record: str) -> None:
        await self.read(int(record))

    async def _unread(self, record: str, reason: str, path: str) -> None:
        await self._intake.observe([_unusable(record, path, reason, self._now())])

    async def _gone(
        self, appointment: int, chart: str, modified: datetime | None, read_at: datetime, because: EventId | None
    ) -> None:
        if chart:
            body = EhrAppointmentGone(appointment=appointment, chart=EhrChartId(int(chart)))
            one = Observation(
                body=body,
                resource=APPOINTMENTS,
                record=str(appointment),
                ehr=body.chart,
                modified=modified,
                read_at=read_at,
            )
            await self._intake.observe([_because(one, because)])

    async def _window(self, started: datetime, ahead: timedelta) -> set[str]:
        rows = self._client.appointments(shifted(started, -BACK), shifted(started, ahead))
        return await self._observe(rows)

    async def _observe(self, rows: AsyncIterator[DecodedRow[wire.Appointment]], because: EventId | None = None) -> set[str]:
        """Publish what is new; returns the appointments that were listed, legible or not."""
        known = dict(await self._known())
        present: set[str] = set()
        batch: list[Observation] = []
        read_at = self._now()
        async for row in rows:
            if isinstance(row, BadRow):
                if row.practice in (None, self._client.practice_id):
                    present.add(str(row.id))
                    batch.append(_unusable(str(row.id or row.path), row.path, MISFIT, self._now(), row.raw))
                continue
            if row.deleted_date is not None or not is_appointment(row):
                continue
            present.add(str(row.id))
            batch += [_because(one, because) for one in seen_appointment(row, read_at, known.get(str(row.id), ""))]
            if len(batch) >= CHUNK:
                await self._intake.observe(batch)
                batch, read_at = [], self._now()
        await self._intake.observe(batch)
        return present

    async def _finish(self, source: str, mark: datetime) -> None:
        if not await self._intake.checkpoint(f"elation.{source}", mark.isoformat(), within=self._patience):
            log.warning("pass_not_recorded", practice=self._intake.practice, source=f"elation.{source}")


def is_appointment(one: wire.Appointment) -> bool:
    """Whether it is a patient's; open slots and events of the calendar are nobody's."""
    return one.patient is not None and one.time_slot_type in ("", "appointment")


def seen_appointment(
    one: wire.Appointment, read_at: datetime, former: str, *, notes: tuple[Note, ...] = ()
) -> list[Observation]:
    """An appointment of a patient as change events want it; of one that is another patient's now the `former` one is told, too."""
    seen = translate.appointment(one)
    record = str(seen.id)
    again = Note(system=System.EHR, resource=PAST, record=record, content_hash="")
    found = [
        Observation(
            body=EhrAppointmentObserved(appointment=seen),
            resource=APPOINTMENTS,
            record=record,
            ehr=seen.patient,
            modified=one.last_modified_date,
            read_at=read_at,
            parent=str(seen.patient),
            notes=notes,
            notes_if_published=() if notes else (again,),
        )
    ]
    if former and former != str(seen.patient):
        body = EhrAppointmentGone(appointment=seen.id, chart=EhrChartId(int(former)), moved=True)
        found.insert(
            0,
            Observation(
                body=body,
                resource=FORMER,
                record=record,
                ehr=body.chart,
                modified=one.last_modified_date,
                read_at=read_at,
            ),
        )
    return found


def _because(one: Observation, because: EventId | None) -> Observation:
    return one if because is None else msgspec.structs.replace(one, because=because)


def _unusable(record: str, path: str, reason: str, read_at: datetime, raw: bytes = b"") -> Observation:
    record = name(record)
    body = ChangeQuarantined(
        system=System.EHR, resource=APPOINTMENTS, record=record, path=name(path), reason=reason, raw=raw
    )
    return Observation(body=body, resource=aside_of(APPOINTMENTS), record=record, read_at=read_at)
