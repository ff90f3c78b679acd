"""The appointments of days, with whose they are and what of those patients waits, for the pages of the front desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from daemon.operator.find import patients_of
from daemon.operator.worklist import Work
from daemon.tables import days
from events.calendar import local_day, shifted
from events.ids import PracticeId
from events.store import Store
from projections.state.patient import AppointmentState, Patient
from projections.words.remedy import SHOWN_ELSEWHERE


@dataclass(frozen=True)
class Visit:
    """An appointment and its patient, on the practice's `day`."""

    patient: Patient
    appointment: AppointmentState
    day: date

    @property
    def start(self) -> datetime:
        return self.appointment.seen.start

    @property
    def end(self) -> datetime:
        return shifted(self.start, timedelta(minutes=self.appointment.seen.minutes))

    @property
    def state(self) -> str:
        return state_of(self.appointment)

    @property
    def in_calendar(self) -> bool:
        """Whether the chart side's calendar has it."""
        return self.appointment.ehr is not None and not self.appointment.deleted

    def waiting(self, now: datetime) -> list[tuple[Work, str]]:
        """What of the patient waits, each with why."""
        return [
            (Work(self.patient.key, slot, one.code, one.since or now), one.text)
            for slot, one in sorted(self.patient.waiting.items())
            if one.code not in SHOWN_ELSEWHERE
        ]


def state_of(one: AppointmentState) -> str:
    """How an appointment is, in one word."""
    return "deleted" if one.deleted or one.vanished else "cancelled" if one.seen.cancelled else "booked"


async def visits_of(store: Store, practice: PracticeId, zone: ZoneInfo, first: date, last: date) -> list[Visit]:
    """The appointments from `first` to `last` in the practice's days, by time; only patients who may have one are opened.

    Raises KeyMissing.
    """
    keys = await days.patients_of_days(store.pool, practice, store.keyring, days.APPOINTMENTS, first, last)
    found = [
        Visit(patient, one, day)
        for patient in await patients_of(store, practice, keys)
        for one in patient.appointments.values()
        if first <= (day := local_day(one.seen.start, zone)) <= last
    ]
    return sorted(found, key=lambda one: (one.start, one.appointment.seen.provider_name, one.appointment.seen.key))
