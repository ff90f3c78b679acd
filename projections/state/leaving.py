"""Records of patients kept out: which they are is known, what they say is not. Pure, like all folds."""

from __future__ import annotations

from msgspec.structs import replace

from events.bookings import EhrAppointmentGone, EhrAppointmentObserved
from events.holds import LeftOut, RecordLeftUnread
from events.insurance import EhrPoliciesObserved
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillObserved,
    Body,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
)
from events.writes import System
from projections.state.patient import Patient


def record_in(body: Body) -> RecordLeftUnread | None:
    """Which record an observation of a patient is of, by the names that connectors give records; None for anything else."""
    match body:
        case EhrChartObserved(chart=chart):
            return _of(System.EHR, "patients", chart.id, chart.id)
        case EhrChartDeleted(chart=id_) | EhrChartMerged(chart=id_):
            return _of(System.EHR, "patients", id_, id_)
        case EhrPoliciesObserved(chart=id_):
            return _of(System.EHR, "policies", id_, id_)
        case EhrAppointmentObserved(appointment=booked):
            return _of(System.EHR, "appointments", booked.id, booked.patient)
        case EhrAppointmentGone(appointment=id_, chart=chart_id):
            return _of(System.EHR, "appointments", id_, chart_id)
        case BillObserved(bill=bill):
            return _of(System.EHR, "bills", bill.id, bill.patient)
        case BillingChartObserved(chart=there):
            return _of(System.BILLING, "patients", there.id, there.id)
        case BillingChartVanished(patient=patient):
            return _of(System.BILLING, "patients", patient, patient)
        case BillingAppointmentObserved(appointment=one):
            return _of(System.BILLING, "appointments", one.key, one.patient)
        case BillingAppointmentVanished(key=key, patient=patient):
            return _of(System.BILLING, "appointments", key, patient)
    return None


def _of(system: System, resource: str, record: object, chart: int) -> RecordLeftUnread:
    return RecordLeftUnread(system=system, resource=resource, record=str(record), chart=int(chart))


def follow_leaving(patient: Patient, body: Body) -> Patient:
    """The patient left out or not, and the records that were seen meanwhile; one that is read again is known again."""
    match body:
        case LeftOut(out=out):
            return replace(patient, out=out)
        case RecordLeftUnread():
            unread = patient.unread if body in patient.unread else (*patient.unread, body)
            return replace(patient, out=True, unread=unread)
    if not patient.unread or (read := record_in(body)) is None:
        return patient
    return replace(patient, unread=tuple(one for one in patient.unread if one != read))
