"""Readings after our clock was set back: what is known of a record was read in the future, and would count as newer until then.

What people enter meanwhile would be lost: a reading that is older than what is known changes nothing, and no list shows it as
news again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from events.bookings import EhrAppointmentGone, EhrAppointmentObserved
from events.insurance import EhrPoliciesObserved
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillObserved,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
    Event,
    IntentSucceeded,
)
from events.writes import BillingChartWritten, BillingPoliciesWritten, BillWritten, EhrChartWritten, PoliciesWritten
from projections.state.patient import AppointmentState, BillingSide, BillState, Booking, Coverage, EhrSide, Patient

JUST_AFTER = timedelta(microseconds=1)

_LastRead = EhrSide | BillingSide | AppointmentState | Booking | BillState | Coverage | None


def as_read(event: Event, patient: Patient | None, now: datetime) -> Event:
    """A reading, or the outcome of a write, as it counts: made just after what is known of the record, where that lies in the future.

    A webhook has no time of reading. It is told from what is older by the vendor's time, which our clock does not touch.
    """
    known = None if patient is None else _known(patient, event.body)
    read_at = None if known is None else known.read_at
    if read_at is None or read_at <= now or read_at == getattr(known, "modified", None):
        return event
    body = event.body
    if isinstance(body, IntentSucceeded):
        if getattr(body.result, "read_at", None) is None:
            return event
        return replace(event, body=replace(body, result=replace(body.result, read_at=read_at + JUST_AFTER)))
    return event if event.observed == event.modified else replace(event, observed=read_at + JUST_AFTER)


def _known(patient: Patient, body: object) -> _LastRead:
    """What is known of the record that was read or written."""
    match body:
        case EhrChartObserved() | EhrChartDeleted() | EhrChartMerged() | IntentSucceeded(result=EhrChartWritten()):
            return patient.ehr
        case (
            BillingChartObserved()
            | BillingChartVanished()
            | IntentSucceeded(result=BillingChartWritten() | BillingPoliciesWritten())
        ):
            return patient.billing
        case BillingAppointmentObserved(appointment=one):
            return patient.appointments.get(one.key)
        case BillingAppointmentVanished(key=key):
            return patient.appointments.get(key)
        case EhrAppointmentObserved(appointment=seen):
            return patient.bookings.get(str(seen.id))
        case EhrAppointmentGone(appointment=number):
            return patient.bookings.get(str(number))
        case BillObserved(bill=bill) | IntentSucceeded(result=BillWritten(bill=bill)):
            return patient.bills.get(str(bill.id))
        case EhrPoliciesObserved() | IntentSucceeded(result=PoliciesWritten()):
            return patient.coverage
    return None
