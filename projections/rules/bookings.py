"""Appointments from the chart side's calendar to the billing side: our own extension, in no vendor's guide and off by default.

What the billing side was last told is compared, not what it shows now: what its users change there stays until the chart side
changes that very thing. Appointments of a series travel one by one.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from events.bookings import (
    CAME,
    BookingTerms,
    CreateBillingAppointment,
    DeleteBillingAppointment,
    EhrAppointment,
    UpdateBillingAppointment,
)
from events.calendar import local_day
from events.codes import WaitCode
from events.ids import BillingPatientId, PracticeId
from events.slots import SlotKind, slot_of
from events.writes import Resource, System
from projections.rules.appointments import HINT
from projections.rules.wants import Wants, Wish
from projections.state.directory import Directory
from projections.state.maps import location_for, provider_for
from projections.state.patient import Booking, EnteredByHand, Patient
from projections.terms.codecs import Unfit, squeeze
from projections.terms.policy import DeletedAppointment, Policy, allows

SOURCE = "own extension"
RULE = f"{SOURCE}: Appointments"
CANCELLED = "Cancelled"
SCHEDULED = "Scheduled"
STATUSES = {
    "": SCHEDULED,
    "scheduled": SCHEDULED,
    "confirmed": "Confirmed",
    "checked in": "CheckedIn",
    "in room": "Roomed",
    "in room - vitals taken": "Roomed",
    "with doctor": "ReadyToBeSeen",
    "checked out": "CheckedOut",
    "billed": "CheckedOut",
    "not seen": "NoShow",
    "cancelled": CANCELLED,
    "canceled": CANCELLED,
}
"""The billing side's status of the chart side's. Its other statuses are its users', and never written."""

DESCRIPTION_MOST = 230
"""With the token that leaves the notes within 255 characters: nobody says how many they hold."""

OVER = timedelta(days=1)
"""An appointment that ended so long ago is not booked any more."""


def token_of(practice: PracticeId, appointment: int) -> str:
    """What marks the notes of an appointment's booking: 40 bits, the same whenever it is asked for, and nothing of the patient."""
    digest = b32encode(blake2b(f"{practice}|{appointment}".encode(), digest_size=5, person=b"cw-booking").digest()).decode()
    return f"[cw {digest[:4]}-{digest[4:]}]"


# -- the table ------------------------------------------------------------------------------------------------------------


def status_of(seen: EhrAppointment) -> str:
    """The billing side's status of an appointment as the chart side has it."""
    return STATUSES.get(squeeze(seen.status).casefold(), SCHEDULED)


def _start(seen: EhrAppointment, directory: Directory, policy: Policy) -> datetime:
    return seen.start


def _minutes(seen: EhrAppointment, directory: Directory, policy: Policy) -> int | Unfit:
    if seen.minutes > 0:
        return seen.minutes
    return Unfit("no-duration", f"the appointment has no duration in {policy.names.ehr.label}; enter one there")


def _provider(seen: EhrAppointment, directory: Directory, policy: Policy) -> int | Unfit:
    if found := provider_for(seen.physician, directory, policy):
        return found
    there = policy.names.billing.label
    return Unfit("no-provider", f"the appointment's provider is nobody known and active in {there}; map the provider")


def _location(seen: EhrAppointment, directory: Directory, policy: Policy) -> int | Unfit:
    mapped = None if seen.location is None else location_for(seen.location, directory, policy)
    if found := mapped or policy.default_location:
        return found
    there = policy.names.billing.label
    return Unfit(
        "no-location", f"the appointment has no location that is known in {there}; map it, or set maps.default_location"
    )


def _reason(seen: EhrAppointment, directory: Directory, policy: Policy) -> int | None:
    return policy.appointment_reasons.get(seen.reason)


def _status(seen: EhrAppointment, directory: Directory, policy: Policy) -> str:
    return status_of(seen)


def _description(seen: EhrAppointment, directory: Directory, policy: Policy) -> str:
    return squeeze(seen.description)[:DESCRIPTION_MOST].rstrip()


@dataclass(frozen=True)
class BookingField:
    """A row: `value` is what the billing side gets, or why it cannot."""

    name: str
    label: str
    ehr: str
    billing: str
    value: Callable[[EhrAppointment, Directory, Policy], object | Unfit]
    source: str = SOURCE


BOOKINGS: tuple[BookingField, ...] = (
    BookingField("start", "Start", "Date and time", "Start date, start time", _start),
    BookingField("minutes", "Duration", "Duration", "End time", _minutes),
    BookingField("provider", "Provider", "Calendar of", "Provider", _provider),
    BookingField("location", "Location", "Service location", "Service location (default_location)", _location),
    BookingField("reason", "Visit reason", "Appointment type", "Visit reason (appointment_reasons)", _reason),
    BookingField("status", "Status", "Status", "Status", _status),
    BookingField("description", "Description", "Description (chief complaint)", "Notes, first line", _description),
)


def booking_terms(seen: EhrAppointment, directory: Directory, policy: Policy) -> BookingTerms | Unfit:
    """The appointment as the billing side shall hold it, or the first thing to fix."""
    values: dict[str, Any] = {}
    for row in BOOKINGS:
        value = row.value(seen, directory, policy)
        if isinstance(value, Unfit):
            return value
        values[row.name] = value
    return BookingTerms(**values)


def _notes(seen: EhrAppointment, directory: Directory, policy: Policy) -> tuple[str, ...]:
    notes = []
    if len(squeeze(seen.description)) > DESCRIPTION_MOST:
        notes.append(f"description cut at {DESCRIPTION_MOST} characters")
    if seen.location is not None and location_for(seen.location, directory, policy) is None:
        notes.append("location not mapped: the practice's default")
    return tuple(notes)


# -- decisions ------------------------------------------------------------------------------------------------------------


def want_bookings(
    patient: Patient, billing: BillingPatientId, directory: Directory, policy: Policy, now: datetime, wants: Wants
) -> None:
    """Add what brings the billing side's appointments to the chart side's calendar, one slot an appointment."""
    for key, entry in entered_here(patient).items():
        if allows(policy, Resource.APPOINTMENT, System.BILLING):
            _want(key, entry, patient, billing, directory, policy, now, wants)
        else:
            _show_not_followed(key, entry, policy, now, wants)


def want_moved_away(
    patient: Patient,
    billing: BillingPatientId,
    policy: Policy,
    now: datetime,
    wants: Wants,
    theirs: frozenset[int] = frozenset(),
) -> None:
    """While a link is interrupted, what was booked for appointments that are another patient's now leaves the billing side.

    It is booked for that patient, too, and would stand there twice. `theirs` are bookings that went along with the patient.
    """
    for key, entry in entered_here(patient).items():
        if not (entry.gone and entry.moved) or entry.billing in theirs:
            continue
        if allows(policy, Resource.APPOINTMENT, System.BILLING):
            _want_removal(slot_of(SlotKind.BOOKING, key), entry, patient, billing, policy, now, wants)
        else:
            _show_not_followed(key, entry, policy, now, wants)


def _show_not_followed(key: str, entry: Booking, policy: Policy, now: datetime, wants: Wants) -> None:
    if stands(entry) and entry.seen.start >= now:
        here, there = policy.names.ehr.label, policy.names.billing.label
        text = f"this appointment in {there} was booked for {here}'s, which it does not follow any more; keep it by hand, then accept this"
        wants.wait(slot_of(SlotKind.BOOKING, key), WaitCode.NOT_FOLLOWED, text)


def entered_here(patient: Patient) -> dict[str, Booking]:
    """The chart side's own appointments: no copies of the billing side's, from a time when appointments came from there."""
    copies = {entry.ehr for entry in patient.appointments.values() if entry.ehr is not None}
    return {
        key: entry
        for key, entry in patient.bookings.items()
        if entry.seen.id not in copies and not entry.seen.link_hint.startswith(HINT)
    }


def stands(entry: Booking) -> bool:
    """Whether the billing side has it, as far as it was told."""
    told = entry.written
    return entry.billing is not None and not entry.deleted and told is not None and told.status != CANCELLED


def _want(
    key: str,
    entry: Booking,
    patient: Patient,
    billing: BillingPatientId,
    directory: Directory,
    policy: Policy,
    now: datetime,
    wants: Wants,
) -> None:
    slot, there = slot_of(SlotKind.BOOKING, key), policy.names.billing.label
    if entry.others:
        twice = ", ".join(map(str, entry.others))
        text = f"{there} has appointment {entry.billing} twice, as {twice}; delete the other there, then accept this"
        wants.wait(slot_of(SlotKind.BOOKED_TWICE, key), WaitCode.BOOKED_TWICE, text)
    if entry.gone:
        _want_removal(slot, entry, patient, billing, policy, now, wants)
        return
    terms = booking_terms(entry.seen, directory, policy)
    if entry.billing is None or entry.deleted or entry.written is None:
        _want_booked(slot, entry, terms, patient, billing, directory, policy, now, wants)
        return
    if isinstance(terms, Unfit):
        if status_of(entry.seen) != CANCELLED:
            wants.wait(slot, WaitCode.NOT_BOOKED, terms.text, "directory")
            return
        terms = _cancelled(entry.written)
    changes = _changes(entry.written, terms)
    if changes:
        write = _update(entry, entry.billing, billing, terms, changes)
        wants.writes[slot] = Wish(write, Resource.APPOINTMENT, RULE, _notes(entry.seen, directory, policy))


def _want_booked(
    slot: str,
    entry: Booking,
    terms: BookingTerms | Unfit,
    patient: Patient,
    billing: BillingPatientId,
    directory: Directory,
    policy: Policy,
    now: datetime,
    wants: Wants,
) -> None:
    """The billing side lacks it. One that was cancelled before, or is long over, is not booked."""
    seen, there = entry.seen, policy.names.billing.label
    if status_of(seen) == CANCELLED:
        return
    over = seen.start + timedelta(minutes=min(seen.minutes, 1440)) < now - OVER
    if entry.by_hand is not None and (starts := _stands_at(entry, entry.by_hand, patient)) is not None:
        if not over:
            wants.wait(slot, WaitCode.STANDS_ALREADY, _by_hand_text(entry.by_hand, starts, seen, policy))
    elif over:
        text = f"the appointment is over and was never booked in {there}; enter it there if it is needed, then accept this"
        wants.wait(slot, WaitCode.OVER_UNBOOKED, text)
    elif isinstance(terms, Unfit):
        wants.wait(slot, WaitCode.NOT_BOOKED, terms.text, "directory")
    else:
        token = token_of(policy.practice, seen.id) if policy.notes_token else ""
        taken = _taken(entry, patient)
        create = CreateBillingAppointment(patient=billing, terms=terms, token=token, taken=taken)
        wants.writes[slot] = Wish(create, Resource.APPOINTMENT, RULE, _notes(seen, directory, policy))


def _stands_at(entry: Booking, found: EnteredByHand, patient: Patient) -> datetime | None:
    """When the appointment that was entered by hand starts, as last known; None once it is gone, or at a time of its own."""
    sights = [one for one in patient.appointments.values() if one.seen.id == found.id and one.read_at > found.read_at]
    if not sights:
        return found.start
    starts = {one.seen.start for one in sights if not one.vanished and not one.seen.cancelled}
    return next((start for start in (entry.seen.start, found.start) if start in starts), None)


def _by_hand_text(found: EnteredByHand, start: datetime, seen: EhrAppointment, policy: Policy) -> str:
    here, there = policy.names.ehr.label, policy.names.billing.label
    what = f"stands in {there} already, as appointment {found.id} that somebody entered there"
    if start != seen.start:
        what += f", and was moved in {here} alone"
    return f"the appointment {what}; keep the two alike by hand and accept this, or delete the one in {there}: then it is booked from here"


def _taken(entry: Booking, patient: Patient) -> tuple[int, ...]:
    """The billing side's appointments at the same time that are for others of the patient's: nothing tells them apart but that."""
    same = [one for one in patient.bookings.values() if one.seen.start == entry.seen.start and one is not entry]
    booked = {id_ for one in same for id_ in (one.billing, *one.others) if id_ is not None}
    return tuple(sorted(booked | {one.by_hand.id for one in same if one.by_hand is not None and not one.gone}))


def _changes(written: BookingTerms, terms: BookingTerms) -> tuple[str, ...]:
    return tuple(row.name for row in BOOKINGS if getattr(written, row.name) != getattr(terms, row.name))


def _cancelled(written: BookingTerms) -> BookingTerms:
    values = {row.name: getattr(written, row.name) for row in BOOKINGS}
    return BookingTerms(**{**values, "status": CANCELLED})


def _update(
    entry: Booking, appointment: int, billing: BillingPatientId, terms: BookingTerms, changes: tuple[str, ...]
) -> UpdateBillingAppointment:
    before = entry.written.description if entry.written is not None else ""
    return UpdateBillingAppointment(patient=billing, appointment=appointment, terms=terms, changes=changes, before=before)


def _want_removal(
    slot: str, entry: Booking, patient: Patient, billing: BillingPatientId, policy: Policy, now: datetime, wants: Wants
) -> None:
    """Deleted, or another patient's now: then nothing of it stays. One that was billed is cancelled, whatever else is wanted."""
    if entry.billing is None or entry.deleted or entry.written is None:
        return
    billed = _billed(entry, patient, policy)
    if entry.moved and not billed:
        _want_moved(slot, entry.billing, entry.written, patient, billing, policy, now, wants)
    elif policy.deleted_appointment is DeletedAppointment.DELETE and not billed:
        write = DeleteBillingAppointment(appointment=entry.billing)
        wants.writes[slot] = Wish(write, Resource.APPOINTMENT, f"{RULE}, deleted")
    elif entry.written.status != CANCELLED:
        update = _update(entry, entry.billing, billing, _cancelled(entry.written), ("status",))
        wants.writes[slot] = Wish(update, Resource.APPOINTMENT, f"{RULE}, deleted")


def _want_moved(
    slot: str,
    appointment: int,
    told: BookingTerms,
    patient: Patient,
    billing: BillingPatientId,
    policy: Policy,
    now: datetime,
    wants: Wants,
) -> None:
    """The chart side's appointment is another patient's now. A visit that has begun, or is over, is for a person to correct."""
    known = patient.appointments.get(str(appointment))
    if told.status == CANCELLED or (known is not None and known.seen.cancelled and not known.vanished):
        return
    if told.status in CAME or told.start < now:
        here, there = policy.names.ehr.label, policy.names.billing.label
        why = "was checked in or missed" if told.status in CAME else "is past"
        text = (
            f"the appointment is another patient's in {here} now, and its booking {appointment} in {there}, which stays with this "
            f"patient, {why}; cancel or delete it there if it is wrong, then accept this"
        )
        wants.wait(slot, WaitCode.BOOKED_FOR_FORMER, text)
        return
    write = DeleteBillingAppointment(appointment=appointment, patient=billing, told=told)
    wants.writes[slot] = Wish(write, Resource.APPOINTMENT, f"{RULE}, another patient's now")


def _billed(entry: Booking, patient: Patient, policy: Policy) -> bool:
    """Whether an encounter of the patient's was sent for that day: the billing side may have put the appointment's id into it."""
    day = local_day(entry.seen.start, ZoneInfo(policy.time_zone))
    return any(one.encounter is not None and one.bill.service_day == day for one in patient.bills.values())
