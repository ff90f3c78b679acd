"""Folding the chart side's calendar, and what became of it on the billing side."""

from __future__ import annotations

from msgspec.structs import replace

from events.bookings import (
    AnyBooking,
    CreateBillingAppointment,
    DeleteBillingAppointment,
    EhrAppointmentGone,
    EhrAppointmentObserved,
    InCalendar,
    StandsAlready,
    UpdateBillingAppointment,
)
from events.schema import Event
from events.slots import parse_slot
from events.writes import AnyResult, RecordCreated
from projections.state.freshness import not_newer, same_save, stale
from projections.state.patient import Booking, EnteredByHand, Patient


def in_calendar(patient: Patient, event: Event, body: InCalendar) -> Patient:
    """An appointment of the chart side was seen, or is gone."""
    id_ = body.appointment.id if isinstance(body, EhrAppointmentObserved) else body.appointment
    known = patient.bookings.get(str(id_))
    if known is not None and not_newer(event, known) and not _leaves_in_that_second(event, known):
        return patient
    match body:
        case EhrAppointmentObserved():
            entry = Booking(seen=body.appointment, read_at=event.observed)
            if known is not None:
                entry = replace(known, seen=body.appointment, read_at=event.observed, gone=False, moved=False)
        case EhrAppointmentGone():
            if known is None:
                return patient
            entry = replace(known, read_at=event.observed, gone=True, moved=body.moved)
    return _with(patient, replace(entry, modified=event.modified or entry.modified))


def _leaves_in_that_second(event: Event, known: Booking) -> bool:
    """A deletion within the second of the save that is known: of the two the deletion is the later."""
    return isinstance(event.body, EhrAppointmentGone) and same_save(event, known)


def booked(patient: Patient, slot: str, write: AnyBooking, result: AnyResult) -> Patient:
    """What came of a write."""
    entry = patient.bookings.get(parse_slot(slot).id)
    if entry is None:
        return patient
    match write:
        case CreateBillingAppointment() if isinstance(result, RecordCreated):
            told = result.booked or write.terms
            entry = replace(entry, billing=result.id, written=told, deleted=False, others=result.others, by_hand=None)
        case CreateBillingAppointment() if isinstance(result, StandsAlready):
            found = EnteredByHand(id=result.id, start=write.terms.start, read_at=result.read_at)
            entry = replace(entry, by_hand=found)
        case UpdateBillingAppointment():
            entry = replace(entry, written=write.terms)
        case DeleteBillingAppointment():
            entry = replace(entry, deleted=True)
    return _with(patient, entry)


def _with(patient: Patient, entry: Booking) -> Patient:
    return replace(patient, bookings={**patient.bookings, str(entry.seen.id): entry})


def is_booking(patient: Patient, appointment: int) -> bool:
    """Whether an appointment of the billing side is one that we booked: never to be copied back to the chart side."""
    known = (*patient.bookings.values(), *(one for former in patient.former.values() for one in former.bookings.values()))
    return any(appointment == one.billing or appointment in one.others for one in known)


# -- links ----------------------------------------------------------------------------------------------------------------


def unwritten(bookings: dict[str, Booking]) -> dict[str, Booking]:
    """Bookings as they go with their chart when it is unlinked: nothing of them stands with whoever is linked next."""
    return {
        key: replace(one, billing=None, written=None, deleted=False, others=(), by_hand=None)
        for key, one in bookings.items()
        if not one.gone
    }


def together(bookings: dict[str, Booking], others: dict[str, Booking]) -> dict[str, Booking]:
    """Bookings of two patients who are one now: the newer sight of each, and what was written of it by either."""
    found = {**others, **bookings}
    for key in bookings.keys() & others.keys():
        mine, other = bookings[key], others[key]
        seen = other if _newer(other, mine) else mine
        told = mine if mine.billing is not None else other
        by_hand = None if told.billing is not None else mine.by_hand or other.by_hand
        found[key] = replace(
            seen,
            billing=told.billing,
            written=told.written,
            deleted=told.deleted,
            others=told.others,
            by_hand=by_hand,
        )
    return found


def _newer(one: Booking, other: Booking) -> bool:
    """Of one that is gone because it moved, and the same one seen where it moved to, the latter counts."""
    if one.moved != other.moved and one.seen.patient != other.seen.patient:
        return other.moved and not one.gone
    return not stale(one.modified, one.read_at, other.modified, other.read_at) and one.read_at > other.read_at
