"""The appointments of days, with whose they are and what of those patients waits, for the pages of the front desk.

An appointment is listed once: as the billing side has it, or as the chart side's calendar has it where it was entered there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from daemon.operator.find import patients_of
from daemon.operator.worklist import Work
from daemon.tables import days
from daemon.tables import documents as tables
from events.calendar import local_day, shifted
from events.ids import PracticeId
from events.slots import SlotKind, slot_of
from events.store import Store
from projections.rules.bookings import CANCELLED, entered_here, stands, status_of
from projections.rules.holds import on_hold
from projections.state.bookings import is_booking
from projections.state.directory import Directory
from projections.state.maps import provider_for
from projections.state.open_intents import OpenIntent
from projections.state.patient import AppointmentState, Booking, Patient
from projections.terms.names import Names
from projections.terms.policy import Policy
from projections.words.known import provider_or_number
from projections.words.remedy import SHOWN_ELSEWHERE

NO_PROVIDER = "0"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """An appointment of a patient, on the practice's `day`.

    `provider` stands for the provider in an address. `state` is "booked", "cancelled" or "deleted". `beside` says how it stands in
    the system that it was not entered in, "" where there is nothing to say.
    """

    patient: Patient
    record: int
    day: date
    start: datetime
    minutes: int
    reason: str
    provider: str
    provider_name: str
    state: str
    beside: str = ""

    @property
    def end(self) -> datetime:
        return shifted(self.start, timedelta(minutes=self.minutes))

    def waiting(self, now: datetime) -> list[tuple[Work, str]]:
        """What of the patient waits, each with why."""
        return [
            (Work(self.patient.key, slot, one.code, one.since or now), one.text)
            for slot, one in sorted(self.patient.waiting.items())
            if one.code not in SHOWN_ELSEWHERE
        ]


def visits_in(patient: Patient, directory: Directory, policy: Policy, zone: ZoneInfo) -> Iterator[Visit]:
    """All appointments of a patient, in no order. Our own copy in the other system is not told again."""
    for one in patient.appointments.values():
        if not is_booking(patient, one.seen.id):
            yield _there(patient, one, policy.names, zone)
    for key, entry in entered_here(patient).items():
        yield _here(patient, key, entry, directory, policy, zone)


def _there(patient: Patient, one: AppointmentState, names: Names, zone: ZoneInfo) -> Visit:
    """An appointment of the billing side."""
    seen = one.seen
    state = "deleted" if one.deleted or one.vanished else "cancelled" if seen.cancelled else "booked"
    in_calendar = one.ehr is not None and not one.deleted
    return Visit(
        patient=patient,
        record=seen.id,
        day=local_day(seen.start, zone),
        start=seen.start,
        minutes=seen.minutes,
        reason=seen.reason,
        provider=str(seen.provider or NO_PROVIDER),
        provider_name=seen.provider_name,
        state=state,
        beside="" if in_calendar or state != "booked" else f"not in {names.ehr.label}",
    )


def _here(patient: Patient, key: str, entry: Booking, directory: Directory, policy: Policy, zone: ZoneInfo) -> Visit:
    """An appointment of the chart side's calendar, which is booked on the billing side: our own extension."""
    seen = entry.seen
    provider, name = _provider(seen.physician, directory, policy)
    return Visit(
        patient=patient,
        record=seen.id,
        day=local_day(seen.start, zone),
        start=seen.start,
        minutes=seen.minutes,
        reason=seen.description or seen.reason,
        provider=provider,
        provider_name=name,
        state="deleted" if entry.gone else "cancelled" if status_of(seen) == CANCELLED else "booked",
        beside=_booked(patient, key, entry, directory, policy.names.billing.label),
    )


def _provider(physician: int, directory: Directory, policy: Policy) -> tuple[str, str]:
    """What stands for the provider, and the name: the billing side's where the physician is mapped."""
    provider = provider_for(physician, directory, policy)
    if provider is not None and (found := [one for one in directory.providers if one.id == provider]):
        return str(provider), provider_or_number(found[0])
    names = (provider_or_number(one) for one in directory.physicians if one.id == physician)
    return f"physician-{physician}", next(names, "")


def _booked(patient: Patient, key: str, entry: Booking, directory: Directory, there: str) -> str:
    """How a booking stands on the billing side."""
    slot = slot_of(SlotKind.BOOKING, key)
    open_ = patient.intents.get(slot)
    if slot in patient.waiting:
        return f"waits, in {there} as it was" if stands(entry) else f"waits, not in {there}"
    if open_ is not None:
        return _on_its_way(patient, open_, directory, there)
    if stands(entry):
        return f"booked in {there}"
    ended = entry.gone or status_of(entry.seen) == CANCELLED
    return "" if ended else f"not in {there}"


def _on_its_way(patient: Patient, open_: OpenIntent, directory: Directory, there: str) -> str:
    return f"on hold, not in {there} yet" if on_hold(directory, patient, open_) is not None else f"on its way to {there}"


async def visits_of(
    store: Store, practice: PracticeId, policy: Policy, first: date, last: date, directory: Directory | None = None
) -> list[Visit]:
    """The appointments from `first` to `last` in the practice's days, by time; only patients who may have one are opened.

    `directory` is the practice's where the caller has it. Raises KeyMissing.
    """
    zone = ZoneInfo(policy.time_zone)
    keys = await days.patients_of_days(store.pool, practice, store.keyring, days.APPOINTMENTS, first, last)
    if directory is None:
        directory = await tables.directory(store.pool, practice, store.keyring)
    found = [
        one
        for patient in await patients_of(store, practice, keys)
        for one in visits_in(patient, directory, policy, zone)
        if first <= one.day <= last
    ]
    return sorted(found, key=lambda one: (one.start, one.provider_name, one.record))
