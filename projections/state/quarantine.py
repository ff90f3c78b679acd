"""Records that could not be used are set aside, each in a slot of its own, until they are understood."""

from __future__ import annotations

from typing import get_args

from events.bookings import EhrAppointmentGone, EhrAppointmentObserved
from events.holds import RecordLeftUnread
from events.insurance import EhrPoliciesObserved
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillObserved,
    EhrChartObserved,
    Event,
    Outcome,
)
from events.slots import SlotKind, set_aside_in, slot_of
from events.writes import System

OUTCOMES = frozenset(kind.__name__ for kind in get_args(Outcome))


def quarantine_slot(system: str, resource: str, record: str) -> str:
    """Where a record that could not be understood waits; the same record, once understood, clears it."""
    return slot_of(SlotKind.QUARANTINE, system, resource, record)


def record_of(event: Event) -> str:
    """What the record of an observation is called, for its place in quarantine."""
    match event.body:
        case BillObserved(bill=bill):
            return str(bill.id)
        case BillingAppointmentObserved(appointment=one):
            return one.key
        case BillingAppointmentVanished(key=key):
            return key
        case EhrAppointmentObserved(appointment=there):
            return str(there.id)
        case EhrAppointmentGone(appointment=gone):
            return str(gone)
        case RecordLeftUnread(record=record):
            return record
    return str(event.ehr or event.billing or "")


def in_doubt_as(event: Event) -> tuple[str, str]:
    """What a connector calls a record of the chart side that has to be read again: its resource, and its id."""
    match event.body:
        case BillObserved():
            return "bills", record_of(event)
        case EhrAppointmentObserved():
            return "appointments", record_of(event)
    return "patients", str(event.ehr)


def quarantined_as(event: Event) -> tuple[str, ...]:
    """The slots in which this record would wait, had it not been read or folded; an occurrence has its key or its id."""
    return (*_unread_as(event), quarantine_slot(event.origin.value, event.type, record_of(event)))


def outcome_slots(body: Outcome) -> tuple[str, ...]:
    """The slots in which an outcome of this intent waits that could not be folded."""
    return tuple(quarantine_slot(system.value, kind, body.intent) for system in System for kind in sorted(OUTCOMES))


def holds_outcome(slot: str) -> bool:
    """Whether what waits in this slot, or waited, is what became of a request."""
    aside = set_aside_in(slot)
    return aside is not None and aside.resource in OUTCOMES


def _unread_as(event: Event) -> tuple[str, ...]:
    match event.body:
        case EhrChartObserved(chart=chart):
            return (quarantine_slot(System.EHR, "patients", str(chart.id)),)
        case EhrPoliciesObserved(chart=chart):
            return (quarantine_slot(System.EHR, "policies", str(chart)),)
        case BillingChartObserved(chart=there):
            return (quarantine_slot(System.BILLING, "patients", str(there.id)),)
        case EhrAppointmentObserved() | EhrAppointmentGone():
            return (quarantine_slot(System.EHR, "appointments", record_of(event)),)
        case BillObserved(bill=bill):
            return (quarantine_slot(System.EHR, "bills", str(bill.id)),)
        case BillingAppointmentObserved(appointment=one):
            return tuple(quarantine_slot(System.BILLING, "appointments", name) for name in sorted({one.key, str(one.id)}))
        case RecordLeftUnread():
            return (quarantine_slot(event.body.system, event.body.resource, event.body.record),)
    return ()
